"""The notebooks, what they show and how they are executed."""
