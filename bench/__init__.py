"""Speed, as ratios measured in one run on the same database. `make bench` prints them all."""
