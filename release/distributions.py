"""Builds the sdist and the wheel, as installers of Python take them."""

import tarfile
from pathlib import Path

from release.build_tools import install, run

BACKEND = Path("release/backend.txt")

BACKEND_S = 300
"""Seconds to build one, on a busy machine too."""


def build(source: Path, folder: Path, *, python: str, epoch: int, scratch: Path) -> list[Path]:
    """Builds both; the wheel from the sdist, which so shows that nothing is missing in it.

    Args:
        source: The staged source.
        folder: Where the files go.
        python: One that has pip.
        epoch: The time of the files inside, in s.
        scratch: An empty folder.
    """
    tools = scratch / "tools"
    install(python, source / BACKEND, tools)

    def backend(root: Path, kind: str) -> None:
        run(
            *(python, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)),
            deadline_s=BACKEND_S,
            folder=root,
            path=(tools,),
            variables={"SOURCE_DATE_EPOCH": str(epoch), "PYTHONDONTWRITEBYTECODE": "1"},
            quiet=True,
        )

    backend(source, "sdist")
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        # Debian 12 has a Python 3.11 without filters, and later ones warn where there is none.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(scratch / "sdist")  # noqa: S202 - just made here
    (unpacked,) = (scratch / "sdist").iterdir()
    backend(unpacked, "wheel")
    (wheel,) = folder.glob("*.whl")
    return [wheel, sdist]
