"""The documents that are made from the code, all written anew by `python -m tests.documents`."""
