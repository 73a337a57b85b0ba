"""A gateway whose certificate no public authority signed, and every command that talks to it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from kit.gateway import GatewayProcess
from tests.patience import PATIENCE_S

SECRET = "my-secret-key-123"
COMMANDS = {
    "sims": ("sims",),
    "phones": ("phones",),
    "messages": ("messages",),
    "send": ("send", "--to", "+15553334444", "hello"),
    "mcp": ("mcp",),
    "phone": ("phone", "--simulate", "--duration", "2", "--reconnect", "60"),
}
PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(folder / "chain.pem"))
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    settings = {"TLS_CERTIFICATE": folder / "chain.pem", "TLS_KEY": folder / "key.pem"}
    with GatewayProcess(folder / "x.db", settings=settings) as gateway:
        subprocess.run(
            [sys.executable, "-m", "phonegate", "org", "add", "myorg", "--secret-from", "stdin"],
            input=f"{SECRET}\n",
            text=True,
            cwd=folder,
            env={**os.environ, "PHONEGATE_DATABASE_PATH": "x.db"},
            check=True,
        )
        yield f"https://127.0.0.1:{gateway.port}"


def run(url: str, *words: str, **environ: str) -> tuple[int, str]:
    """The exit code, and all that was printed."""
    kept = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    named = {"PHONEGATE_URL": url, "PHONEGATE_ORG": "myorg", "PHONEGATE_SECRET": SECRET}
    done = subprocess.run(
        [sys.executable, "-m", "phonegate", *words],
        input=PING,
        capture_output=True,
        text=True,
        env={**kept, **named, **environ},
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_it_is_trusted_by_option_or_variable(
    url: str, folder: Path, words: tuple[str, ...]
) -> None:
    code, told = run(url, *words)
    assert f"The certificate of {url.removeprefix('https://')} is not trusted" in told
    assert "No gateway answers" not in told
    if words[0] in {"sims", "phones", "messages", "send"}:
        assert code == 1
    file = str(folder / "ca.pem")
    given: list[tuple[tuple[str, ...], dict[str, str]]] = [
        (("--cacert", file), {}),
        ((), {"PHONEGATE_CACERT": file}),
        ((), {"SSL_CERT_FILE": file}),
    ]
    # The phone stays for as long as it is told to.
    for more, environ in given[:1] if words[0] == "phone" else given:
        code, told = run(url, *words, *more, **environ)
        assert code == 0, told
        assert "is not trusted" not in told
    if words[0] == "mcp":
        assert json.loads(told)["result"] == {}
    if words[0] == "phone":
        assert "sim-0001: connected" in told
