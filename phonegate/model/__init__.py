"""What everything speaks of: messages and their states, phones, orgs, keys, refusals."""
