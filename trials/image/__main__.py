"""Builds the image, and runs it and each of the compose files by a Docker engine.

    sudo .venv/bin/python -m trials.image
    sudo .venv/bin/python -m trials.image --only caddy --registry

The engine is the machine's own, or one that is started in a temporary folder and changes no
firewall. What is committed is built. Without `--registry`, Debian's packages and this machine's
programs stand in for the images of the registries. Needs docker with its plugin compose, and for
the rest root, dockerd, mmdebstrap, caddy and Litestream. Exits 1 at the first thing that is not
as promised.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kit.program import ROOT
from trials.image import stand_ins
from trials.image.engine import CommandFailed, Engine, NoEngine, engine
from trials.image.steps import STEPS, Ground

IMAGE = "phonegate"
BASE = "phonegate-trial-base"
EXTRAS = "apprise,telnyx,tls"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m trials.image", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--only", action="append", choices=[*STEPS, "extras"])
    parser.add_argument("--registry", action="store_true", help="pull the images that are named")
    cache = Path(tempfile.gettempdir(), "phonegate-image")
    parser.add_argument("--cache", type=Path, default=cache, help="where the base's root is kept")
    options = parser.parse_args()
    wanted = options.only or [*STEPS, "extras"]
    try:
        with tempfile.TemporaryDirectory(prefix="pg-image-") as name:
            folder = Path(name)
            with engine(folder) as found:
                run(found, folder, options.cache, wanted, registry=options.registry)
    except (CommandFailed, NoEngine) as error:
        print(f"FAULT: {error}", file=sys.stderr)
        sys.exit(1)


def run(found: Engine, folder: Path, cache: Path, wanted: list[str], *, registry: bool) -> None:
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    print(f"engine {found.docker('version', '--format', '{{.Server.Version}}').strip()}")
    base = official(clone) if registry else BASE
    if not registry:
        stand_ins.base(found, BASE, cache)
        stand_ins.programs(found, BASE, images(clone))
    began = time.monotonic()
    build(found, clone, base, IMAGE)
    print(
        f"built in {time.monotonic() - began:.0f} s, {added(found, base):.0f} MB on top of {base}"
    )
    ground = Ground(engine=found, clone=clone, image=IMAGE, base=base)
    for name, step in STEPS.items():
        if name in wanted:
            print(name, flush=True)
            step(ground)
    if "extras" in wanted:
        print("extras", flush=True)
        build(found, clone, base, f"{IMAGE}-extras", f"EXTRAS={EXTRAS}")
        lines = "import apprise, cryptography"
        words = ["--entrypoint", "python", f"{IMAGE}-extras", "-c", lines]
        found.docker("run", "--rm", *words)
        print(f"  ok: built with {EXTRAS}")


def build(found: Engine, clone: Path, base: str, name: str, *arguments: str) -> None:
    words = [f"--build-arg={each}" for each in (f"BASE={base}", *arguments)]
    found.docker("build", "--network", "host", *words, "--tag", name, clone)


def added(found: Engine, base: str) -> float:
    """The megabytes of the layers above the base."""
    whole, below = (json.loads(found.docker("inspect", name))[0]["Size"] for name in (IMAGE, base))
    return float(whole - below) / 1e6


def official(clone: Path) -> str:
    (name,) = re.findall(r"^ARG BASE=(\S+)$", (clone / "Dockerfile").read_text(), re.MULTILINE)
    return str(name)


def images(clone: Path) -> dict[str, str]:
    """The names of the images that the compose files take from registries, by program."""
    text = "".join(path.read_text() for path in (clone / "deploy/docker").glob("compose.*.yaml"))
    names = re.findall(r"^    image: (\S+)$", text, re.MULTILINE)
    return {name.rpartition("/")[2].partition(":")[0]: name for name in names}


if __name__ == "__main__":
    main()
