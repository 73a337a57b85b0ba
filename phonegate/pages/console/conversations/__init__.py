"""Conversations: their list, their messages, answers, contacts, and the live stream."""
