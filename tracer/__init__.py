"""System calls and I/O models under the eye: probes, analysis and drawing (see README.md)."""

__version__ = "0.1.0"
