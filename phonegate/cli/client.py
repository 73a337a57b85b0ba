"""The gateway that the options and the environment of a client command name."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from phonegate import trust
from phonegate.cli import gateway_words, options
from phonegate.cli.failure import Failure
from phonegate.client import NO_RETRIES, Gateway, GatewayError, Retries, connection
from phonegate.client.header_value import is_header_value
from phonegate.config import client_environment
from phonegate.domain.credentials import is_key_like


def connect(
    url: str, org: str | None, cacert: Path | None, retries: Retries = NO_RETRIES
) -> Gateway:
    """Returns a client of the gateway. A person who reads is not kept waiting by new tries.

    Raises:
        Failure: There is no credential, or it can't be used.
        GatewayError: The address can't be used.
        UnusableAuthority: `cacert` can't be read.
        click.UsageError: The org is missing.
    """
    found = credential()
    if org is None and not is_key_like(found):
        raise click.UsageError(options.ORG_MISSING)
    context = trust.context(cacert)
    return Gateway(url, sendable(found), org, cacert=context, retries=retries, on_retry=tell)


def settings(url: str, secret: str, cacert: Path | None) -> dict[str, Any]:
    """Returns the arguments for a client of httpx, for a command that makes its own.

    Raises:
        Failure: The secret can't be sent.
        GatewayError: The address can't be used.
        UnusableAuthority: `cacert` can't be read.
    """
    return connection.settings(url, sendable(secret), trust.context(cacert))


def tell(error: GatewayError, tries: int) -> None:
    """Prints that a gateway is away and is asked again, once for each time that it is."""
    if tries == 1:
        said = gateway_words.sentence(error)
        end = "" if said.endswith((".", "?")) else "."
        click.echo(f"phonegate: {said}{end} Trying again.", err=True)


def sendable(secret: str) -> str:
    """Returns a secret that a header can hold.

    Raises:
        Failure: It can't.
    """
    if not is_header_value(secret):
        names = " and ".join(client_environment.CREDENTIALS)
        raise Failure(
            f"The secret must be printable ASCII, without blanks around it. Check {names}."
        )
    return secret


def from_environment() -> str | None:
    """Returns the API key or secret of the environment, or None."""
    return next(filter(None, map(os.environ.get, client_environment.CREDENTIALS)), None)


def credential() -> str:
    """Returns the secret or API key of the environment, or asks for it on a terminal."""
    value = from_environment() or ""
    if not value and sys.stdin.isatty():
        value = click.prompt("Secret or API key", hide_input=True, err=True)
    if not value:
        key, secret = client_environment.CREDENTIALS
        raise Failure(f"Set {key} to an API key, or {secret} to the org's secret.")
    return value
