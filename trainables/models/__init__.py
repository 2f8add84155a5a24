"""Networks, their dual norms and the modes they run in."""
