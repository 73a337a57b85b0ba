"""Committed changes: the bus that tells them, and what only listens to it."""
