"""The report for a terminal, at least 80 columns wide."""
