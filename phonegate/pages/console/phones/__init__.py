"""The phones of an org: their health, SIMs and waiting messages, and how one is paired."""
