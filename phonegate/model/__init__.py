"""The values that all modules share: messages and their states, phones, orgs, keys, refusals."""
