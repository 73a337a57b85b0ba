"""Where the zipapp starts: it unpacks itself, or says in a sentence why it can't.

shiv's own start would unpack it too, and show a traceback where that fails. It also loads all that
unpacking needs, and reads the archive, at every start; `unpacked` finds what an earlier one has
unpacked without that. This must be readable by any Python that shiv's bootstrap runs on.
"""

import json
import os
import site
import sys
from pathlib import Path
from typing import Optional

FOLDERS = ("site-packages", "dist-packages")
"""Where Python's own packages are."""


def unpacked() -> Optional[Path]:  # noqa: UP045 - as far back as can be
    """Returns where the packages are unpacked already. None where shiv's bootstrap must look."""
    if any(name.startswith("SHIV_") and name != "SHIV_ROOT" for name in os.environ):
        return None
    root = os.environ.get("SHIV_ROOT") or "~/.shiv"
    if root.startswith("$"):
        return None
    archive = Path(sys.argv[0])
    try:
        environment = globals()["__loader__"].get_data(str(archive / "environment.json"))
        build = json.loads(environment.decode())["build_id"]
        name = "%s_%s" % (archive.resolve().name, build)  # noqa: UP031
        packages = Path(root).expanduser() / name / "site-packages"
    except (OSError, AttributeError, ValueError, RuntimeError):
        return None
    return packages if packages.is_dir() else None


def run(packages: Path) -> None:
    """Runs phonegate from there, as shiv's bootstrap would: the preamble, then the program."""
    length = len(sys.path)
    others = [at for at, path in enumerate(sys.path) if Path(path).name in FOLDERS]
    index = others[0] if others else length
    site.addsitedir(str(packages))
    sys.path[:] = sys.path[:index] + sys.path[length:] + sys.path[index:length]
    preamble = packages / "bin" / "preamble.py"
    code = compile(preamble.read_text(), str(preamble), "exec")
    exec(code, {"__name__": "__main__", "__file__": str(preamble), "site_packages": packages})  # noqa: S102 - ours
    from phonegate.__main__ import main  # noqa: PLC0415

    sys.exit(main())


def unpack() -> str:
    """Unpacks what is not unpacked yet; why that can't be done, or nothing."""
    from _bootstrap import (  # type: ignore[import-not-found]  # noqa: PLC0415
        Environment,
        cache_path,
        current_zipfile,
        extract_site_packages,
    )

    folder = "the home folder"
    try:
        with current_zipfile() as archive:
            env = Environment.from_json(archive.read("environment.json").decode())
            build = cache_path(archive, env.root, env.build_id)
            folder = build.parent
            if not (build / "site-packages").exists():
                extract_site_packages(archive, build, env.compile_pyc, env.compile_workers)
    except RuntimeError:
        # There is no home, as for some services.
        return "there is no home folder to unpack to"
    except OSError as error:
        return "%s can't be written (%s)" % (folder, error.strerror or error)  # noqa: UP031
    return ""


if __name__ == "__main__":
    # What is unpacked is a cache that only this program uses, and bytecode is a part of it. Without
    # it, as PYTHONDONTWRITEBYTECODE would have it, each start takes a second longer.
    sys.dont_write_bytecode = False
    PACKAGES = unpacked()
    if PACKAGES:
        run(PACKAGES)
    PROBLEM = unpack()
    if PROBLEM:
        sys.exit(
            "phonegate: %s; set SHIV_ROOT to a folder that this user can write, "  # noqa: UP031
            "with 20 MB free." % PROBLEM
        )
    from _bootstrap import bootstrap

    bootstrap()
