"""`python -m trainables.evaluate RUN` measures a checkpoint."""
