"""Two gateways behind one address, as docs/scaling.md has it, and an org that moves."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from kit.gateway import GatewayProcess
from kit.program import ROOT, Program, child_environment
from kit.simulated_phone import SimulatedPhone
from tests.patience import PATIENCE_S

GUIDE = (ROOT / "docs" / "scaling.md").read_text()
SERVER = (ROOT / "docs" / "operations.md").read_text()
NUMBER = "+15551112222"


def printed(language: str, text: str = GUIDE) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        return int(sock.getsockname()[1])


def until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.02)


def command(gateway: GatewayProcess, *words: str) -> str:
    """Runs one of the owner's commands on the machine of a gateway."""
    done = subprocess.run(
        [sys.executable, "-m", "phonegate", *words, "--database", str(gateway.database)],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Proxy(Program, ABC):
    """A proxy with the configuration that the guide prints, for gateways at other addresses."""

    kind: str

    def __init__(self, folder: Path, gateways: tuple[int, int]) -> None:
        self.port = free_port()
        self.folder = folder
        self.gateways = gateways
        self.lead((), ())
        program = shutil.which(self.kind) or shutil.which(self.kind, path="/usr/sbin")
        if program is None:
            pytest.skip(f"{self.kind} is not installed")
        self.program = program
        home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        port = self.port
        super().__init__([program, *self.words()], folder=folder, environment=home)
        self.port = port

    @abstractmethod
    def words(self) -> list[str]:
        """The words of the command."""

    @abstractmethod
    def lead(self, orgs: tuple[str, ...], keys: tuple[str, ...]) -> None:
        """Writes the configuration that leads these to the second gateway."""

    @abstractmethod
    def reload(self) -> None:
        """Makes the proxy use it."""

    def wait_until_ready(self) -> None:
        def answers() -> bool:
            try:
                return httpx.get(f"{self.url}/health", trust_env=False).status_code == 200
            except httpx.HTTPError:
                return False

        until(answers)


class Nginx(Proxy):
    kind = "nginx"

    def words(self) -> list[str]:
        return ["-p", str(self.folder), "-e", "stderr", "-c", str(self.folder / "nginx.conf")]

    def lead(self, orgs: tuple[str, ...], keys: tuple[str, ...]) -> None:
        lines = [f"org:{org} gateway_b;" for org in orgs] + [
            f"key:{key} gateway_b;" for key in keys
        ]
        (self.folder / "phonegate.map").write_text("\n".join(lines))
        maps = printed("nginx").replace("/etc/nginx/phonegate.map", f"{self.folder}/phonegate.map")
        for address, port in zip(("10", "11"), self.gateways, strict=True):
            assert maps.count(f"192.168.1.{address}:8080") == 1
            maps = maps.replace(f"192.168.1.{address}:8080", f"127.0.0.1:{port}")
        server = printed("nginx", SERVER)
        server = re.sub(r"upstream phonegate \{.*?\}\n", "", server, flags=re.DOTALL)
        server = re.sub(r"    ssl_.*\n|    error_log.*\n", "", server)
        server = server.replace("listen 443 ssl;", f"listen 127.0.0.1:{self.port};")
        server = server.replace("proxy_pass http://phonegate;", "proxy_pass http://$gateway;")
        temporary = "".join(
            f"{name}_temp_path {self.folder}/{name};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (self.folder / "nginx.conf").write_text(
            f"daemon off;\npid {self.folder}/nginx.pid;\nworker_processes 1;\n"
            f"error_log stderr warn;\nevents {{}}\nhttp {{\n{temporary}{maps}{server}}}\n"
        )

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)


class Caddy(Proxy):
    kind = "caddy"

    def words(self) -> list[str]:
        return ["run", "--adapter", "caddyfile", "--config", str(self.folder / "Caddyfile")]

    def lead(self, orgs: tuple[str, ...], keys: tuple[str, ...]) -> None:
        if not hasattr(self, "admin"):
            self.admin = free_port()
        site = printed("caddy")
        for listed, those in (("myorg|second", orgs), ("k7Qm2xXz", keys)):
            site = site.replace(listed, "|".join(those) or "none-yet")
        for address, port in zip(("10", "11"), self.gateways, strict=True):
            assert site.count(f"192.168.1.{address}:8080") == 1
            site = site.replace(f"192.168.1.{address}:8080", f"127.0.0.1:{port}")
        site = site.replace("sms.example.org {", f"http://127.0.0.1:{self.port} {{")
        (self.folder / "Caddyfile").write_text(
            f"{{\n    admin 127.0.0.1:{self.admin}\n"
            f"    storage file_system {self.folder}\n}}\n{site}"
        )

    def reload(self) -> None:
        words = [self.program, "reload", "--adapter", "caddyfile"]
        words += [
            "--config",
            str(self.folder / "Caddyfile"),
            "--address",
            f"127.0.0.1:{self.admin}",
        ]
        home = {"HOME": str(self.folder)}
        subprocess.run(words, env=home, check=True, capture_output=True, timeout=PATIENCE_S)


@attrs.define
class Fleet:
    first: GatewayProcess
    second: GatewayProcess
    proxy: Proxy

    def at(self, path: str, **told: Any) -> httpx.Response:
        return httpx.request("GET", f"{self.proxy.url}{path}", trust_env=False, **told)


@contextmanager
def running(kind: type[Proxy], folder: Path) -> Iterator[Fleet]:
    settings = {
        "ORGS_REGISTRATION": "closed",
        "HTTP_TRUSTED_PROXIES": "127.0.0.0/8",
    }
    for name in ("a", "b", "proxy"):
        (folder / name).mkdir()
    later = {**settings, "DATABASE_FIRST_ID": 100_000_000}
    with (
        GatewayProcess(folder / "a" / "phonegate.db", settings=settings) as first,
        GatewayProcess(folder / "b" / "phonegate.db", settings=later) as second,
        kind(folder / "proxy", (first.port, second.port)) as proxy,
    ):
        yield Fleet(first, second, proxy)


def added(gateway: GatewayProcess, org: str) -> tuple[str, str, str]:
    """Makes an org and a key of it. Returns its secret, the key and the key's id."""
    secret = re.search(r"^secret +(\S+)", command(gateway, "org", "add", org), re.MULTILINE)
    key = re.search(r"^key +(\S+)", command(gateway, "key", "add", org, "app"), re.MULTILINE)
    assert secret is not None
    assert key is not None
    listed = json.loads(command(gateway, "key", "list", org, "--json"))["keys"]
    return secret[1], key[1], listed[0]["id"]


@pytest.mark.parametrize("kind", [Nginx, Caddy])
def test_an_org_is_found_by_path_query_and_key_before_and_after_it_moves(
    kind: type[Proxy], tmp_path: Path
) -> None:
    with running(kind, tmp_path) as fleet:
        secret, key, key_id = added(fleet.first, "myorg")
        other_secret, other_key, other_id = added(fleet.second, "second")
        fleet.proxy.lead(("second",), (other_id,))
        fleet.proxy.reload()

        def found(org: str, secret: str, key: str) -> list[int]:
            keyed = [
                {"headers": {"Authorization": f"Bearer {key}"}},
                {"headers": {"X-Secret-Key": key}},
                {"headers": {"X-API-Key": key}},
            ]
            sent = {"to": NUMBER}  # not all that is needed
            answers = [
                fleet.at(f"/messages/{org}", headers={"X-Secret-Key": secret}),
                fleet.at(f"/messages/{org}/{secret}"),
                *(fleet.at("/me", **one) for one in keyed[:2]),
                fleet.at("/sms", **keyed[2]),
                fleet.at(f"/sms?key={key}"),
                httpx.post(
                    f"{fleet.proxy.url}/sms/send?org_id={org}",
                    json=sent,
                    headers={"X-Secret-Key": secret},
                    trust_env=False,
                ),
            ]
            return [answer.status_code for answer in answers]

        # 403: the key is known, and may do more than a GET may be used for. 400: what to send is
        # missing.
        as_known = [200, 200, 200, 200, 403, 403, 400]
        until(lambda: found("second", other_secret, other_key) == as_known)
        assert found("myorg", secret, key) == as_known
        if kind is Nginx:
            assert fleet.at("/sms", auth=("second", other_secret)).status_code == 403

        options = ("--reply",)
        phone = SimulatedPhone(
            tmp_path, fleet.proxy.url, *options, org="myorg", secret=key, name="one", number=NUMBER
        )
        keyed = {"Authorization": f"Bearer {key}"}
        post = {"to": "+15553334444", "body": "before"}
        with phone:

            def statuses() -> dict[str, str]:
                listed = fleet.at("/messages/myorg", headers=keyed).json().get("messages", [])
                return {one["body"]: one["status"] for one in listed}

            def send(body: str) -> httpx.Response:
                sent = {**post, "body": body}
                url = f"{fleet.proxy.url}/send/myorg"
                return httpx.post(url, json=sent, headers=keyed, trust_env=False)

            assert send("before").status_code == 200
            until(lambda: statuses().get("before") in {"sent", "delivered"})
            tomorrow = datetime.now(UTC) + timedelta(days=1)
            later = {**post, "body": "later", "send_at": tomorrow.isoformat()}
            httpx.post(
                f"{fleet.proxy.url}/send/myorg", json=later, headers=keyed, trust_env=False
            ).raise_for_status()

            file = tmp_path / "myorg.org"
            command(fleet.first, "org", "export", "myorg", str(file), "--move")
            refused = send("meanwhile")
            assert (refused.status_code, refused.json()["code"]) == (503, "org_suspended")
            assert int(refused.headers["Retry-After"]) > 0
            command(fleet.second, "org", "import", str(file))
            fleet.proxy.lead(("second", "myorg"), (other_id, key_id))
            fleet.proxy.reload()
            until(lambda: send("after").status_code == 200)
            until(lambda: statuses().get("after") in {"sent", "delivered"})
            assert statuses()["before"] in {"sent", "delivered"}
            assert statuses()["later"] == "queued"
            command(fleet.first, "org", "remove", "myorg", "--yes")
            assert found("myorg", secret, key) == as_known
            listed = fleet.at("/messages/myorg", headers=keyed).json()["messages"]
            ids = [one["id"] for one in listed]
            assert ids == sorted(ids)
            assert sum(one["body"] == "before" for one in listed) == 1
        lines = phone.log
    # The phone was given each message once, whichever gateway it came from.
    for body in ("before", "after"):
        assert sum(body in line for line in lines) <= 1
