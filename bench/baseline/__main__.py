"""`python -m bench.baseline --port 8081 --database baseline.db`: serves the baseline."""

import argparse
from pathlib import Path

import uvicorn

from bench.baseline.app import build_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.baseline", description=__doc__)
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--database", type=Path, default=Path("baseline.db"))
    parser.add_argument("--no-log", action="store_true", help="no line for each request")
    chosen = parser.parse_args()
    uvicorn.run(
        build_app(chosen.database),
        host="127.0.0.1",
        port=chosen.port,
        loop="uvloop",
        http="httptools",
        access_log=not chosen.no_log,
    )


if __name__ == "__main__":
    main()
