"""Makes a release of one checkout, every file of it, by one command: `python -m release`."""
