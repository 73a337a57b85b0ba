"""Reads a new secret. It is never an argument, which every user of a machine could read."""

import os
import sys
from typing import Any

import click

from phonegate.cli.failure import Failure
from phonegate.config import client_environment

SOURCES = ("generate", "prompt", "stdin", "environment")

option = click.option(
    "--secret-from",
    "source",
    type=click.Choice(SOURCES),
    default="generate",
    show_default=True,
    help="Where the secret comes from; environment is PHONEGATE_SECRET.",
)


def read(source: str) -> str | None:
    """Returns the secret from the source that the option names, or None to have one generated."""
    if source == "generate":
        return None
    if source == "prompt":
        answer: Any = click.prompt("Secret", hide_input=True, confirmation_prompt=True, err=True)
        return str(answer)
    if source == "stdin":
        secret = sys.stdin.readline().rstrip("\n")
    else:
        secret = os.environ.get(client_environment.SECRET, "")
    if not secret:
        source_name = "standard input" if source == "stdin" else client_environment.SECRET
        raise Failure(f"There is no secret in {source_name}.")
    return secret
