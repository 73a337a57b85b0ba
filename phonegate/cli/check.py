"""`phonegate check`."""

from pathlib import Path

import click

from phonegate.cli import options


@click.command()
@options.gateway
@click.option("--example", is_flag=True, help="Print gateway.toml.example and do nothing else.")
def command(config: Path | None, database: Path | None, *, example: bool) -> int:
    """Find everything wrong with the configuration and this machine, and change nothing.

    Exits with 1 if the gateway could not serve like this.
    """
    # Imported here to keep `--help` fast.
    from phonegate.cli import examination  # noqa: PLC0415
    from phonegate.config.setting_texts import example as example_text  # noqa: PLC0415

    if example:
        click.echo(example_text(), nl=False)
        return 0
    findings = examination.examine(config, database)
    marks = {
        "fine": click.style("ok   ", fg="green"),
        "note": click.style("note ", fg="yellow"),
        "fault": click.style("FAULT", fg="red", bold=True),
    }
    for finding in findings:
        click.echo(f"{marks[finding.kind]}  {finding.about}: {finding.text}")
    faults = sum(finding.kind == "fault" for finding in findings)
    if faults:
        click.echo(f"{faults} fault{'s' if faults > 1 else ''}.", err=True)
    return 1 if faults else 0
