"""The record that the probes write, and the file that keeps a run's records."""
