"""Abuse of every case against a gateway that runs, beside honest users who must not notice."""
