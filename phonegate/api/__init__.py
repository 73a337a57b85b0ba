"""The HTTP API: one table of endpoints, and the app that serves it."""
