"""Reading result files and published tables."""
