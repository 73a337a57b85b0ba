"""Two gateways' stores, from one of which orgs come to the other."""

from tests.operations.moving_site import here, there

__all__ = ["here", "there"]
"""Fixtures, for pytest to find."""
