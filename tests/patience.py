"""How long a test waits for what should come at once."""

PATIENCE_S = 60
"""Seconds. A machine with much else to do is slow by far more than it seems: this many pass only
where something never comes."""
