"""Renderers: a report in, text out; they open nothing, print nothing and read no events."""
