"""The phone's side of the link: a program for scripts, and simulated phones on demand.

It is a client of the gateway and imports nothing of it, so that what it shows of the gateway is
what any other phone would see.
"""
