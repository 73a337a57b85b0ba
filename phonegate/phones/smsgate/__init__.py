"""Phones that are the app SMS Gateway for Android, which pulls by HTTP and is rung by a stream."""
