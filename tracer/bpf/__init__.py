"""The probes compiled, loaded and attached."""
