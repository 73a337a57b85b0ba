"""Examples as people run them: `curl` commands for a POSIX shell. Pure."""

import shlex

import attrs

from phonegate.api.endpoint import Endpoint, Example


@attrs.frozen(kw_only=True)
class Command:
    """A command that works as printed, and what it answers."""

    title: str
    text: str
    answer: str


def command(endpoint: Endpoint, example: Example, base: str) -> Command:
    """Returns the command for an example of an endpoint, at a gateway whose address is `base`."""
    first = ["curl"]
    if endpoint.method != "GET":
        first += ["-X", endpoint.method]
    first.append(shlex.quote(base + example.path))
    options = [f"-H {_quoted(f'{name}: {value}')}" for name, value in example.headers]
    if example.body is not None:
        options.append(f"-d {shlex.quote(example.body)}")
    text = " \\\n  ".join([" ".join(first), *options])
    return Command(title=example.title, text=text, answer=example.answer)


def _quoted(header: str) -> str:
    """Quotes a header as one word. One that names a variable is left for the shell to fill in."""
    return f'"{header}"' if "$" in header else shlex.quote(header)
