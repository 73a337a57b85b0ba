"""The phone's side of the link: a program for scripts, and simulated phones on demand.

It is a client of the gateway and imports nothing of it, so that it sees of the gateway what any
other phone would see.
"""
