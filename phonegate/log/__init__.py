"""Structured logging: one line for each event, as text for people or as JSON for machines.

An event is a short noun-and-verb name with fields (`phone_connected`, `org`, `phone`). Secrets
and message bodies are never fields; paths are redacted before they become one.
"""

from phonegate.log.logger import LEVELS, Logger, configure, get

__all__ = ["LEVELS", "Logger", "configure", "get"]
