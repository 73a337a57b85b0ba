"""Abuse of every kind against a gateway that runs, beside honest users who must not notice."""
