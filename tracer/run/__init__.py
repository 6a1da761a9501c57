"""One experiment from the start of the target to its recording."""
