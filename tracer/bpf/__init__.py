"""Compiles, loads and attaches the probes."""

RING_BYTES = 16 << 20  # of the ring buffer, unless something else is asked for
