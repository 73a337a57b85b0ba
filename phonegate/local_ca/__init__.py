"""A certificate authority of one's own for a local network, and the certificates that it signs."""
