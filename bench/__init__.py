"""Measurements and trials, each run by hand: `python -m bench`, `python -m bench.crash`."""
