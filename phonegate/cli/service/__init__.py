"""`phonegate service`: the gateway as a service of systemd, from the program file alone."""
