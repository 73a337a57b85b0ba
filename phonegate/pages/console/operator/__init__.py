"""What the operator sees of the whole gateway."""
