"""Abuse of every kind against a running gateway, beside honest clients that must not notice."""
