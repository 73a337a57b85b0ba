"""Writing to one or many: senders, templates, batches, and the approval of what is held."""
