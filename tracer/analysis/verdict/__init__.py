"""From counts and operations to decisions: the I/O model, what a program does instead, advice."""
