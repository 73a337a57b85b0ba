"""The recipes of docs/events.md, each run with the program that it is for."""
