"""`python -m analysis.diagnostics` draws what was measured of single runs."""
