"""What may be tuned, and over which range: one plain function of a trial per method."""
