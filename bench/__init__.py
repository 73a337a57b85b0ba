"""Measurements, run by hand: `python -m bench`, `python -m bench.pages`."""
