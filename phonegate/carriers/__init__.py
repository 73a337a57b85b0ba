"""Sending through carriers' APIs, and what they report back.

`directory.open_carrier` makes the client of one account; `callbacks` reads what a carrier calls.
"""
