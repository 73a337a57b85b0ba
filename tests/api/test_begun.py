"""Requests that were begun: what they hold until they end, and that each is answered once."""

from typing import Any, cast

import pytest
import trio

from phonegate.api import begun
from phonegate.api.begun import Begun, BegunRequests
from phonegate.api.exchange import Exchange
from phonegate.api.fair_share import FairShare
from phonegate.api.reply import Reply
from phonegate.model.principal import SCOPES, Principal

ORG = 1


class Served:
    """The begun requests of an endpoint, and how each was answered: by a reply or an error."""

    def __init__(self) -> None:
        self.shares = FairShare()
        self.requests: BegunRequests[Begun] = BegunRequests(self.shares, self._failed)
        self.answers: list[Any] = []

    def begin(self, began: float = 0.0, size: int = 10) -> Begun:
        part = self.shares.part(1)
        assert self.shares.enter_now(ORG, part)
        one = Begun(
            exchange=Exchange(cast("Any", None), began),
            principal=Principal(org=ORG, org_name="myorg", scopes=SCOPES),
            size=size,
            part=part,
            answered=self.answers.append,
        )
        self.requests.add(one)
        return one

    def _failed(self, error: Exception, _: Exchange) -> Reply:
        return cast("Reply", error)


def reply() -> Reply:
    return Reply(status=200, headers=(), body=b"")


async def test_one_that_ends_is_answered_and_holds_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served = Served()
    monkeypatch.setattr(begun, "PENDING_BYTES", 15)
    one = served.begin()
    assert not served.requests.has_room(6)
    served.requests.end(one, reply, None)
    assert served.answers == [reply()]
    assert served.requests.has_room(15)
    assert len(served.shares) == 0


async def test_one_that_was_not_stored_is_answered_by_its_error() -> None:
    served, error = Served(), ZeroDivisionError()
    served.requests.end(served.begin(), None, error)
    assert served.answers == [error]


async def test_an_answer_that_cannot_be_made_is_a_failure() -> None:
    served, fault = Served(), KeyError("x")

    def faulty() -> Reply:
        raise fault

    served.requests.end(served.begin(), faulty, None)
    assert served.answers == [fault]
    assert len(served.shares) == 0


async def test_what_is_overdue_is_answered_once_and_holds_its_part_until_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served = Served()
    late, also_late, early = served.begin(1.0), served.begin(2.0), served.begin(3.0)
    monkeypatch.setattr(begun, "perf_counter", lambda: 12.0)
    for _ in range(2):
        found = list(served.requests.overdue(10.0))
        assert found == [late, also_late]
        for one in found:
            served.requests.fail(one, trio.TooSlowError())
    assert [type(one) for one in served.answers] == [trio.TooSlowError] * 2
    served.requests.end(late, reply, None)
    assert len(served.answers) == 2
    assert list(served.requests.overdue(10.0)) == [also_late]
    served.requests.end(early, reply, None)
    served.requests.end(also_late, None, ZeroDivisionError())
    assert served.answers[2:] == [reply()]
    assert len(served.shares) == 0
