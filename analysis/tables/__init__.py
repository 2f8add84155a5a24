"""Published tables beside our rows."""
