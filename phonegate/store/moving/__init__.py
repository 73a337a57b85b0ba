"""One org as a file: what belongs to it, how that is written and read again."""
