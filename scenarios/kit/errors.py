"""What may keep a scenario from its end."""


class Unsupported(Exception):
    """This machine lacks what the scenario needs."""


class SenderDied(Exception):
    """The sender ended before the receiver had all it waited for."""
