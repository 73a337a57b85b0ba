"""A USB or built-in modem as a phone, by ModemManager over D-Bus."""
