"""The parts of the trial of the service that need no root."""

import zipfile
from pathlib import Path

import phonegate
from phonegate.cli.upgrade import package_file
from phonegate.operations import schema_steps
from trials import service


def test_the_later_version_of_the_trial_changes_the_database(tmp_path: Path) -> None:
    package = Path(phonegate.__file__).parent
    made, later = tmp_path / "made.pyz", tmp_path / "later.pyz"
    with made.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w") as archive:
            for name in ("__init__.py", "store/migrations.py"):
                archive.write(package / name, f"site-packages/phonegate/{name}")
            archive.writestr("environment.json", '{"build_id": "abc"}')
    service.newer(made, later)
    offer = package_file.read(later.read_bytes())
    assert offer is not None
    assert (offer.version.text, offer.steps) == (service.NEWER, schema_steps.KNOWN + 1)
    with zipfile.ZipFile(later) as archive:
        assert archive.read("environment.json") == b'{"build_id": "cba"}'
