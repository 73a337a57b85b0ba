"""Webhooks: how events are written for receivers, signed, sent to them, and tried again."""
