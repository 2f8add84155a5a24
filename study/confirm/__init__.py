"""Retraining the best settings and the baselines with fresh seeds, measured on test images."""
