"""Tables of arrays, and operations on any table: look-ups as of a time, sums by group, distributions."""
