"""The generic API: one address that takes an SMS in whatever form a program writes it."""
