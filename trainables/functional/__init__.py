"""Losses, mixing rules and selection scores as pure functions of tensors."""
