"""Data sets: loading, splitting, batching and augmentation."""
