"""Makes the folder `synchronous` of the client from the folder `asynchronous`.

    .venv/bin/python -m tests.client.synchronous

What one of them does, so does the other: only the shell waits otherwise.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

CLIENT: Final = Path(__file__).parent.parent.parent / "phonegate" / "client"
SOURCE: Final = CLIENT / "asynchronous"
MADE: Final = CLIENT / "synchronous"

_ROOT: Final = CLIENT.parent.parent
_OURS: Final = (
    *("--no-cache", "--config", str(_ROOT / "pyproject.toml")),
    *("--config", f'src = ["{_ROOT}"]'),
)
"""Our settings, for files that stand elsewhere."""

_INIT: Final = (
    '"""The client for programs that wait, made from the folder `asynchronous`: see there."""\n'
)

_CHANGES: Final = (
    (r"    import anyio.*\n\n", ""),
    (r"await anyio\.sleep", "time.sleep"),
    (r"StopAsyncIteration", "StopIteration"),
    (r"async for", "for"),
    (r"async with", "with"),
    (r"async def", "def"),
    (r"\bawait ", ""),
    (r"\banext\b", "next"),
    (r"aiter_bytes", "iter_bytes"),
    (r"\baread\b", "read"),
    (r"\baclose\b", "close"),
    (r"__a(iter|next|enter|exit)__", r"__\1__"),
    (r"AsyncClient", "Client"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"client\.asynchronous", "client.synchronous"),
    (r"that run on asyncio or Trio", "that wait for each answer"),
    (r"All of a program's tasks", "All of a program's threads"),
    (
        r" A wait for the next item may be cancelled, by a deadline say, and\n"
        r"    begun again: nothing is lost\.",
        "",
    ),
)


def made() -> dict[str, str]:
    """The text of each file of the folder `synchronous`, by its name."""
    with tempfile.TemporaryDirectory() as folder:
        for path in SOURCE.glob("*.py"):
            text = path.read_text()
            for pattern, other in _CHANGES:
                text = re.sub(pattern, other, text)
            (Path(folder) / path.name).write_text(text)
        for words in (("check", "--quiet", "--fix", "--select", "I"), ("format", "--quiet")):
            subprocess.run([sys.executable, "-m", "ruff", *words, *_OURS, folder], check=True)
        texts = {path.name: path.read_text() for path in sorted(Path(folder).glob("*.py"))}
    return {**texts, "__init__.py": _INIT}


if __name__ == "__main__":
    for name, text in made().items():
        (MADE / name).write_text(text)
