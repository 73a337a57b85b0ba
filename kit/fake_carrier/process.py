"""The fake carrier as a process of its own, which outlives the gateways of a test."""

import json
import sys
from typing import Any
from urllib.request import Request, urlopen

from kit.program import ROOT, Program

ANSWER_DEADLINE_S = 60


class FakeCarrierProcess(Program):
    """`python -m kit.fake_carrier` on a free port, with its requests and ledger over HTTP."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(
            [sys.executable, "-m", "kit.fake_carrier", "--port", str(port), "--json"], folder=ROOT
        )

    def wait_until_ready(self) -> None:
        url = json.loads(self.wait_for_line('"url"'))["url"]
        self.port = int(url.rpartition(":")[2])

    def control(self, do: str, **order: Any) -> dict[str, Any]:
        """Gives an order, as `control` of this package lists them."""
        return self._ask("/_control", {"do": do, **order})

    def ledger(self) -> dict[str, Any]:
        return self._ask("/_ledger")

    def accounts(self) -> dict[str, Any]:
        """Returns credentials and numbers, as the gateway's configuration wants them."""
        return self._ask("/_accounts")

    def _ask(self, path: str, order: dict[str, Any] | None = None) -> dict[str, Any]:
        body = None if order is None else json.dumps(order).encode()
        request = Request(self.url + path, data=body)  # POST when there is a body
        with urlopen(request, timeout=ANSWER_DEADLINE_S) as answer:
            content: dict[str, Any] = json.load(answer)
        return content
