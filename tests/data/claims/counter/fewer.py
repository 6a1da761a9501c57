"""trials.watching with 250 sockets at the most: no counter-example, but a recording a quarter as long."""

import scenarios.trials.watching as trial
from scenarios.kit import main

trial.SIZES = (4, 250)
main("fewer", __doc__, ("none",), trial.receive)
