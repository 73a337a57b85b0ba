"""`phonegate mcp`."""

import contextlib
import os
import sys

import click

from phonegate.cli.failure import Failure


@click.command(
    epilog="The API key is read from PHONEGATE_KEY. With PHONEGATE_SECRET instead, the org's "
    "secret works too, if --org names the org."
)
@click.option(
    "--url",
    envvar="PHONEGATE_URL",
    show_envvar=True,
    default="http://127.0.0.1:8080",
    show_default=True,
    help="The gateway's address.",
)
@click.option("--org", envvar="PHONEGATE_ORG", show_envvar=True, help="The org, with its secret.")
def command(*, url: str, org: str | None) -> None:
    """Give an AI agent on this machine the tools of a gateway (Model Context Protocol, stdio).

    Agents start this themselves; docs/agents.md shows what to tell them.
    """
    from phonegate.cli import bridge, client  # noqa: PLC0415 - keeps `--help` fast

    settings = client.connection(url, _credential(org))
    if org is not None:
        settings["params"] = {"org_id": org}
    # Ctrl-C is how a person ends this: no failure.
    with contextlib.suppress(KeyboardInterrupt):
        bridge.run(url, settings, sys.stdin.fileno(), sys.stdout.fileno())


def _credential(org: str | None) -> str:
    if key := os.environ.get("PHONEGATE_KEY"):
        return key
    secret = os.environ.get("PHONEGATE_SECRET", "")
    if not secret:
        # Standard input is the agent's, so there is nobody to ask.
        raise Failure("Set PHONEGATE_KEY to an API key of the gateway (phonegate key add).")
    if org is None and not secret.startswith("pgk_"):
        raise Failure("Set PHONEGATE_ORG too: an org's secret needs its name beside it.")
    return secret
