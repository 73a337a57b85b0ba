"""The phone link: connected phones, their protocol and who is online."""
