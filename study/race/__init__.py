"""The race: what is known of each setting after the search, and the runs that settle which is recommended."""
