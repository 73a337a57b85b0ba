"""The settings of a gateway: declared once, read from a file, the environment and options."""
