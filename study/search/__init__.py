"""The search: proposals, early stopping and their record. All of Optuna is in `sampling`."""
