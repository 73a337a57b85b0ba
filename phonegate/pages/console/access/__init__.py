"""How a person comes in: the set-up of an empty gateway, sign-in, and sessions."""
