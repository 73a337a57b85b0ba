"""Packages of Node that tests use, from the npm registry."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

NPM_DEADLINE_S = 50


def package_folder(package: str) -> Path:
    """Returns the `node_modules` folder that holds a package of a fixed version (`axios@1.7.9`).

    It is kept in the user's cache, apart from the source. Fails the test, and does not skip it,
    when the registry can't be reached: what was never tried is not known to work.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = caches / "phonegate-tests" / package.replace("@", "-")
    name = package.rpartition("@")[0]
    if not (kept / "node_modules" / name).is_dir():
        _install(package, kept)
    return kept / "node_modules"


def _install(package: str, kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail(f"{package} is needed, and npm is not installed")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        new = Path(scratch) / "package"
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier")
        try:
            done = subprocess.run(
                [npm, "install", "--prefix", str(new), *quiet, package],
                capture_output=True,
                text=True,
                check=False,
                timeout=NPM_DEADLINE_S,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            pytest.fail(f"npm could not install {package} within {NPM_DEADLINE_S} s")
        if done.returncode != 0:
            pytest.fail(f"npm could not install {package}:\n{done.stderr[-2000:]}")
        try:
            new.rename(kept)
        except OSError:
            # Another run was faster.
            assert (kept / "node_modules").is_dir()
