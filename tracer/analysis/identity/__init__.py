"""Who and what a number is at a time: threads, processes, descriptors and their files."""
