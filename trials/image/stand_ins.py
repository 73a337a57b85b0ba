"""Images that stand in for those of the registries, made of Debian and of this machine's programs.

A machine that reaches no registry of images builds and runs the same steps with them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from trials.image.engine import Engine, NoEngine
from trials.installs import machine_access

SUITE = "trixie"
"""The Debian that the Dockerfile's base is made of."""

PACKAGES = ("ca-certificates", "netbase", "tzdata", "python3", "python3-pip", "python3-venv")
"""The first three are what the official image of Python has of Debian, beside its Python."""


def base(engine: Engine, name: str, cache: Path) -> None:
    """Makes the base image from Debian's packages, with this machine's way to PyPI."""
    if shutil.which("mmdebstrap") is None or os.geteuid():
        raise NoEngine("the base image is made by root with mmdebstrap: apt install mmdebstrap")
    packed = cache / f"{SUITE}-python.tar"
    if not packed.exists():
        cache.mkdir(parents=True, exist_ok=True)
        words = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
        made = packed.with_suffix(".part.tar")
        # As the official image: without compiled files, so that it shows what a start takes.
        bare = 'find "$1" -xdev -name __pycache__ -prune -exec rm -rf {} +'
        subprocess.run([*words, f"--customize-hook={bare}", SUITE, made], check=True)
        made.rename(packed)
    with TemporaryDirectory(prefix="phonegate-base-") as folder:
        root = Path(folder)
        subprocess.run(["tar", "-xf", packed, "-C", root, "--exclude=./dev/*"], check=True)
        variables = machine_access.give(root)
        changes = [
            f"--change=ENV {key}={value}" for key, value in variables.items() if "PIP" in key
        ]
        with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
            engine.docker("import", *changes, "--change=CMD python3", "-", name, stdin=tar.stdout)


def programs(engine: Engine, base_name: str, images: dict[str, str]) -> None:
    """Makes the images of Caddy and Litestream, by the names that the compose files have."""
    recipes = {
        "caddy": (
            shutil.which("caddy"),
            "ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data\n"
            'CMD ["caddy", "run", "--adapter", "caddyfile", "--config", "/etc/caddy/Caddyfile"]\n',
        ),
        "litestream": (
            shutil.which("litestream", path=str(Path(sys.executable).parent)),
            'ENTRYPOINT ["litestream"]\n',
        ),
    }
    for program, (found, lines) in recipes.items():
        if found is None:
            raise NoEngine(f"{program} is not installed")
        with TemporaryDirectory(prefix=f"phonegate-{program}-") as folder:
            shutil.copy(Path(found).resolve(), Path(folder, program))
            Path(folder, "Dockerfile").write_text(
                f"FROM {base_name}\nCOPY {program} /usr/bin/{program}\n{lines}"
            )
            engine.docker("build", "--quiet", "--tag", images[program], folder)
