"""trials.neighbour with a neighbour that wants no CPU: who shares the reader's CPU does not run while it waits."""

import signal

import scenarios.trials.neighbour as trial
from scenarios.kit import main

trial._compute = signal.pause
main("stopped", __doc__, ("udp",), trial.receive)
