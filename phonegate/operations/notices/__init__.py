"""Notices: what is said of alarms to people, and how it reaches them."""
