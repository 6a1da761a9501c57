"""Small programs for `iotrace verify`, each of which puts one of the textbook's claims to the test: no scenarios, since
they show no way of waiting for data, or one that has a scenario already."""
