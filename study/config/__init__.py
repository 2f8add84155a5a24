"""The options of a study: command line, budget and search space."""
