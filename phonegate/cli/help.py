"""`phonegate help`."""

import click


@click.command()
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def command(context: click.Context, words: tuple[str, ...]) -> None:
    """Explain phonegate, or one COMMAND: the same as --help behind it."""
    shown = context.find_root()
    for word in words:
        if not isinstance(shown.command, click.Group):
            raise click.UsageError(f"'{shown.command_path}' has no commands of its own.", shown)
        _, found, _ = shown.command.resolve_command(shown, [word])
        if found is None:
            raise click.UsageError(f"No such command '{word}'.", shown)
        shown = click.Context(found, parent=shown, info_name=word, **shown.command.context_settings)
    click.echo(shown.get_help())
