"""Adversarial attacks, in training and in evaluation."""
