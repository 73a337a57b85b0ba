"""The phone that the gateway itself is: a modem's program in the gateway's own process."""
