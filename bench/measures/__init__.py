"""The measures, a module for each kind."""
