"""The radios of a phone: what puts an SMS on the air and receives those that come."""
