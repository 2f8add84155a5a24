"""All text that a study prints; it decides nothing."""
