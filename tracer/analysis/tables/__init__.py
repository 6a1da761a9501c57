"""Arrays of one length as tables, and what is asked of any table: as of a time, sums by group, distributions."""
