"""The console: pages for people who have signed in, to read, send and manage by hand."""
