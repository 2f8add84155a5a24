"""From result files to tables, figures, intervals and one page to send to a colleague; no training, no GPU."""
