"""Long measurements and trials, each run by hand: `python -m bench.crash`, `.hostile`, `.pages`."""
