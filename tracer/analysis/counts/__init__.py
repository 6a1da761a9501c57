"""Counts and sums beside the operations: calls, descriptors, polls, reasons for waiting, locks."""
