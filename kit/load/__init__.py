"""The lean side of the bench: clients and phones that cost less than what they measure.

Protocols on uvloop with requests and frames encoded beforehand and the least parsing that tells
whether an answer is right.
"""
