"""The running kernel: its calls, structures and /proc, and the numbers that differ between machines."""
