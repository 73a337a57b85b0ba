"""Trials of what the README promises, each run by hand: `python -m trials.crash`."""
