"""A project of compose: a clone's compose.yaml, files that add to it, and ports of this machine."""

import json
import resource
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx

from phonegate.cli.service.unit import FILES_MAX
from trials.image.engine import CommandFailed, Engine

PATIENCE_S = 90
POLL_S = 0.2
SERVICE = "phonegate"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@attrs.frozen
class Project:
    """What `docker compose` runs in a folder."""

    engine: Engine
    folder: Path
    """The clone."""

    def lines(self, text: str) -> str:
        """Runs lines of a shell in the folder, as a person does."""
        return self.engine.shell(["bash", "-euo", "pipefail", "-c", text], folder=self.folder)

    def compose(self, *words: str) -> str:
        return self.engine.docker("compose", *words, folder=self.folder)

    def gateway(self, *words: str) -> str:
        """Runs a command of phonegate in the container that serves."""
        return self.compose("exec", "-T", SERVICE, "phonegate", *words)

    def container(self, service: str = SERVICE) -> str:
        return self.compose("ps", "--all", "--quiet", service).strip()

    def inspected(self, service: str = SERVICE) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.engine.docker("inspect", self.container(service)))[
            0
        ]
        return found

    def wait_until_healthy(self) -> float:
        """Waits for the check of health. Returns the seconds."""
        began = time.monotonic()
        until = began + PATIENCE_S
        while True:
            state = self.inspected()["State"]
            if state.get("Health", {}).get("Status") == "healthy":
                return time.monotonic() - began
            if state["Status"] not in {"running", "created"} or time.monotonic() > until:
                raise CommandFailed(f"not healthy: {state}\n{self.compose('logs', SERVICE)}")
            time.sleep(POLL_S)


def limited() -> str:
    """The files that the gateway may open here: no engine gives more than it may open itself."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f"ulimits: {{nofile: {min(most, FILES_MAX)}}}"


@contextmanager
def running(
    engine: Engine,
    folder: Path,
    *added: str,
    ports: Mapping[str, Sequence[str]],
    environment: Mapping[str, str] | None = None,
    start: bool = True,
) -> Iterator[Project]:
    """Runs compose.yaml with other files of deploy/docker/, and removes all at the end.

    Args:
        engine: The engine.
        folder: The clone.
        added: What the files are for, such as `caddy`.
        ports: The ports to publish in place of those of the files, by service.
        environment: Variables of the files.
        start: Whether it is started at once.
    """
    override = folder.parent / "override.yaml"
    services = {SERVICE: [limited()], **{name: [] for name in ports if name != SERVICE}}
    for name, some in ports.items():
        services[name].append(f"ports: !override {json.dumps(list(some))}")
    lines = ["services:"]
    for name, some in services.items():
        lines += [f"  {name}:", *(f"    {line}" for line in some)]
    override.write_text("\n".join([*lines, ""]))
    files = ["compose.yaml", *(f"deploy/docker/compose.{name}.yaml" for name in added)]
    variables = {
        "COMPOSE_FILE": ":".join([*files, str(override)]),
        "COMPOSE_PROJECT_NAME": "phonegate-trial",
        **(environment or {}),
    }
    project = Project(attrs.evolve(engine, environment={**engine.environment, **variables}), folder)
    try:
        if start:
            project.compose("up", "--detach", "--no-build")
        yield project
    finally:
        project.compose("down", "--volumes", "--timeout", "5")


def until(look: Any, what: str) -> Any:
    """Waits until something is true, and returns it."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            if found := look():
                return found
        except (httpx.TransportError, CommandFailed, subprocess.SubprocessError):
            pass
        if time.monotonic() > end:
            raise CommandFailed(f"never seen: {what}")
        time.sleep(POLL_S)
