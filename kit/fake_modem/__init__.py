"""A fake GSM modem that speaks AT commands, and the daemons with which to try it."""
