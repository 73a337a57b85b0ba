"""Packs the add-on for Home Assistant: a folder for its add-ons, with the zipapp in it."""

import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path

FOLDER = "deploy/homeassistant/phonegate"

UNPUBLISHED = 'version: "0"'
"""What stands in config.yaml, in place of a version that stands elsewhere."""

MODE = 0o100644
"""Of every file inside."""


def build(root: Path, pyz: Path, out: Path, *, version: str, epoch: int) -> Path:
    """Builds the archive. The same sources and time give the same bytes.

    Args:
        root: The source.
        pyz: The zipapp.
        out: The folder to put it in.
        version: That of phonegate.
        epoch: The time of the files inside, in seconds since 1970.

    Returns:
        The archive.
    """
    folder = root / FOLDER
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    config = files["config.yaml"].decode()
    if config.count(UNPUBLISHED) != 1:
        raise SystemExit(f"{folder / 'config.yaml'} must have one line with {UNPUBLISHED}")
    # The comment above it is for who reads the source.
    config = re.sub(r"# [^\n]*\n" + re.escape(UNPUBLISHED), f'version: "{version}"', config)
    files |= {
        "config.yaml": config.encode(),
        "CHANGELOG.md": (root / "CHANGELOG.md").read_bytes(),
        "phonegate.pyz": pyz.read_bytes(),
    }
    time = datetime.fromtimestamp(epoch, UTC).timetuple()[:6]
    archive = out / f"phonegate-homeassistant-{version}.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"phonegate/{name}", time)
            entry.external_attr = MODE << 16
            entry.create_system = 3  # Unix, so that the mode counts
            # What the zipapp holds is packed already.
            kind = zipfile.ZIP_STORED if name == "phonegate.pyz" else zipfile.ZIP_DEFLATED
            packed.writestr(entry, files[name], kind)
    return archive
