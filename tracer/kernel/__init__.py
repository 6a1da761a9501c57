"""What this kernel is and offers: calls, structures, /proc; and the numbers that machines differ in."""
