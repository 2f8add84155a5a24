"""What is tuned and over which range: one row for each method, and the functions of a trial that draw from it."""
