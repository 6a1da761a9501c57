"""Each thread's calls and times off the CPU, and where its time went."""
