"""`python -m study.doctor` checks the installation and says how to mend it."""
