"""Kernel interfaces that Python has no module for, by ctypes: io_uring, native AIO, real-time signals, futexes."""
