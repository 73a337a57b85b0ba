"""The gateway's own pages: for a person `/` and `/docs`, for an agent `/llms.txt`.

They are made from the table of endpoints and from the rules and states that the code itself
uses, so that they can't say anything else than what it does. They need no storage, no credential
and nothing from any other host, and tell nothing about any org.
"""
