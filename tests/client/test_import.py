"""What a program pays for importing the client."""

import subprocess
import sys

GATEWAY = {"trio", "quart", "hypercorn", "sqlite3", "cattrs"}
"""What only the gateway itself needs."""

PARTS = {"phonegate.client", "phonegate.model"}


def loaded(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_the_client_loads_nothing_of_the_gateway() -> None:
    modules = loaded("from phonegate.client import AsyncGateway, Gateway")
    assert not modules & GATEWAY
    folders = {name for name in modules if name.startswith("phonegate.") and name.count(".") == 1}
    single = {name for name in folders if not any(one.startswith(f"{name}.") for one in modules)}
    assert folders - single == PARTS


def test_a_receiver_of_webhooks_does_without_httpx() -> None:
    assert "httpx" not in loaded("from phonegate.client import verify_webhook")


def test_an_unknown_name_is_an_error() -> None:
    code = "from phonegate.client import Gatewy"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert "ImportError" in done.stderr
