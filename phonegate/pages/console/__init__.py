"""The console: what the people of an org and the operator see and do in a browser."""
