"""`python -m bench.fuller --port 8081 --database baseline.db`: serves the fuller baseline."""

import argparse
from pathlib import Path

import uvicorn

from bench.fuller.app import build_app
from bench.fuller.models import MAX_MESSAGES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fuller", description=__doc__)
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--database", type=Path, default=Path("baseline.db"))
    parser.add_argument("--no-log", action="store_true", help="no line for each request")
    parser.add_argument("--batched", action="store_true", help="one commit for a whole call")
    chosen = parser.parse_args()
    uvicorn.run(
        build_app(chosen.database, at_once=MAX_MESSAGES if chosen.batched else 1),
        host="127.0.0.1",
        port=chosen.port,
        loop="uvloop",
        http="httptools",
        access_log=not chosen.no_log,
    )


if __name__ == "__main__":
    main()
