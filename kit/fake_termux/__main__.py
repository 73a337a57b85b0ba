"""Makes a fake phone in a folder, to try `phonegate phone --termux` without one."""

from pathlib import Path

import click

from kit.fake_termux.phone import FakeTermux

FOLDER = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


@click.group()
def main() -> None:
    """A fake Android phone with Termux:API."""


@main.command()
@FOLDER
@click.option("--sims", default=1, type=click.IntRange(1, 2), show_default=True, help="How many.")
def make(folder: Path, sims: int) -> None:
    """Makes the phone and prints how to use it."""
    phone = FakeTermux(folder.absolute(), slots={str(slot): slot + 1 for slot in range(sims)})
    click.echo(f'PATH="{phone.bin}:$PATH" phonegate phone --termux --journal {folder}/journal')


@main.command()
@FOLDER
@click.argument("address")
@click.argument("body")
@click.option("--slot", default=0, show_default=True, help="The SIM that it comes to.")
def receive(folder: Path, address: str, body: str, slot: int) -> None:
    """Makes an SMS arrive at the phone."""
    click.echo(FakeTermux(folder.absolute()).receive(address, body, sub_id=slot + 1))


@main.command()
@FOLDER
def air(folder: Path) -> None:
    """Prints what the phone has sent."""
    for one in FakeTermux(folder.absolute()).air():
        click.echo(f"{one.time} slot {one.slot} to {one.to}: {one.body}")


if __name__ == "__main__":
    main(prog_name="python -m kit.fake_termux")
