"""All of Ray."""
