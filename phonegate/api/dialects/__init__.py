"""The APIs of other gateways and carriers, each in the words that its clients know."""
