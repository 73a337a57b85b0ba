"""`phonegate openapi`."""

import json

import click

import phonegate


@click.command()
@click.option(
    "--server",
    metavar="URL",
    default="",
    help="The gateway's address to put into it, such as https://sms.example.org.",
)
def command(server: str) -> None:
    """Print the OpenAPI document of a gateway of this version. It needs no running gateway.

    A running one serves the same at /openapi.json, with its own address.
    """
    # Imported here to keep `--help` fast.
    from phonegate.api.openapi.document import document  # noqa: PLC0415
    from phonegate.api.table import build_table  # noqa: PLC0415

    described = document(build_table(), server=server.rstrip("/"), version=phonegate.__version__)
    click.echo(json.dumps(described, ensure_ascii=False, indent=2))
