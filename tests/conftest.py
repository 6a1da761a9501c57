"""No test asserts a time, hypothesis included."""

from hypothesis import settings

settings.register_profile("iotrace", deadline=None)
settings.load_profile("iotrace")
