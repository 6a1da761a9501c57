"""Counts and sums other than the operations: calls, descriptors, polls, reasons for waiting, locks."""
