"""`phonegate mcp`."""

import contextlib
import sys
from pathlib import Path

import click

from phonegate.cli import options
from phonegate.cli.failure import Failure
from phonegate.config import client_environment


@click.command(
    epilog="PHONEGATE_KEY is an API key. The org's secret works too, if --org names the org."
)
@options.client
def command(*, url: str, org: str | None, cacert: Path | None) -> None:
    """Give an AI agent on this machine the tools of a gateway (Model Context Protocol, stdio).

    Agents start this command by themselves. docs/agents.md shows how to configure them.
    """
    # Imported here to keep `--help` fast.
    from phonegate.cli import client, mcp_pipes  # noqa: PLC0415
    from phonegate.client import connection  # noqa: PLC0415
    from phonegate.domain.credentials import is_key_like  # noqa: PLC0415

    credential = client.from_environment()
    if credential is None:
        # Standard input belongs to the agent, so nothing can be asked.
        raise Failure(
            f"Set {client_environment.KEY} to an API key of the gateway (phonegate key add)."
        )
    if org is None and not is_key_like(credential):
        raise Failure(
            f"Set {client_environment.ORG} too: an org's secret needs its name beside it."
        )
    settings = client.settings(url, credential, cacert)
    if org is not None:
        settings["params"] = {"org_id": org}
    # A person ends this by Ctrl-C, which is not a failure.
    with contextlib.suppress(KeyboardInterrupt):
        mcp_pipes.run(connection.address(url), settings, sys.stdin.fileno(), sys.stdout.fileno())
