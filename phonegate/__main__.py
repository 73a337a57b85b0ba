"""`python -m phonegate`, and the entry point of the zipapp.

Written so that a much older Python can read it too and say what is missing.
"""

import sys

OLDEST = (3, 11)


def main() -> int:
    """Runs the command line. Returns the exit code."""
    if sys.version_info < OLDEST:
        sys.stderr.write(
            "phonegate needs Python %d.%d or newer; this is Python %d.%d (%s).\n"  # noqa: UP031 - as far back as can be
            % (OLDEST + sys.version_info[:2] + (sys.executable,))
        )
        return 1
    from phonegate.cli import main as run  # noqa: PLC0415 - only a new enough Python can read it

    return run()


if __name__ == "__main__":
    sys.exit(main())
