"""Hooks: secret URLs to which programs post their own JSON, and what is made of that."""
