"""The study itself: budgets, the search, confirmation, result files, and the doctor of the installation."""
