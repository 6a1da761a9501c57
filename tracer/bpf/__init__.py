"""The probes compiled, loaded and attached."""

RING_BYTES = 16 << 20  # of the ring buffer, unless something else is asked for
