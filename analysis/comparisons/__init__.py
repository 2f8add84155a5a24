"""Which setting is better, and how sure that is."""
