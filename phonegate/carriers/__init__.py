"""Sending through carriers' APIs, and what carriers call the gateway with.

Each carrier is a folder with a `PROVIDER`: a client of its API, its terms in the gateway's words,
and a reader of its callbacks. `registry` lists them.
"""
