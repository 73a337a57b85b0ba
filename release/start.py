"""Where the zipapp starts: it unpacks itself, or says in a sentence why it can't.

shiv's own start would unpack it too, and show a traceback where that fails. This must be readable
by any Python that shiv's bootstrap runs on.
"""

import sys

from _bootstrap import (  # type: ignore[import-not-found]
    Environment,
    bootstrap,
    cache_path,
    current_zipfile,
    extract_site_packages,
)


def unpack() -> str:
    """Unpacks what is not unpacked yet; why that can't be done, or nothing."""
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
    PROBLEM = unpack()
    if PROBLEM:
        sys.exit(
            "phonegate: %s; set SHIV_ROOT to a folder that this user can write, "  # noqa: UP031
            "with 20 MB free." % PROBLEM
        )
    bootstrap()
