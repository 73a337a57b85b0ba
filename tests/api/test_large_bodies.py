"""Where bodies are read: small ones at once, large ones in a thread and in turn."""

import gc
import threading
import weakref
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio

from phonegate.api.convert import CONVERTER
from phonegate.api.large_bodies import (
    LINE,
    READ_AT_ONCE_BYTES,
    UNKNOWN,
    LargeBodyReader,
)
from phonegate.api.messages_types import Webhook
from phonegate.model.refusals import BadInput, Throttled
from tests.patience import PATIENCE_S

LARGE = READ_AT_ONCE_BYTES + 1


async def test_a_small_body_is_read_at_once_and_a_large_one_in_a_thread() -> None:
    reading = LargeBodyReader()
    here = threading.get_ident()
    assert await reading.read(threading.get_ident, READ_AT_ONCE_BYTES) == here
    assert await reading.read(threading.get_ident, LARGE) != here


async def test_what_is_wrong_with_a_body_is_told_from_a_thread_too() -> None:
    def refuse() -> None:
        raise BadInput("no")

    for size in (1, LARGE):
        with pytest.raises(BadInput):
            await LargeBodyReader().read(refuse, size)


async def test_a_body_that_is_refused_is_let_go_at_once() -> None:
    held: list[weakref.ref[Any]] = []

    class Text:
        pass

    def body() -> dict[str, Any]:
        text = Text()
        held.append(weakref.ref(text))
        return {"org_id": text, "messages": [{}, {"date": text}]}

    gc.disable()
    try:
        for size in (1, LARGE):
            # What pytest.raises catches, it keeps.
            with suppress(BadInput):
                await LargeBodyReader().read(partial(CONVERTER.structure, body(), Webhook), size)
            (text,) = held
            with trio.fail_after(PATIENCE_S):
                while text() is not None:  # the thread lets go of it a moment later
                    await trio.lowlevel.checkpoint()
            held.clear()
    finally:
        gc.enable()


async def test_unknown_callers_share_one_line_and_hold_up_no_org(nursery: trio.Nursery) -> None:
    reading = LargeBodyReader()
    gate = threading.Event()
    refused: list[Throttled] = []

    async def stalled() -> None:
        try:
            await reading.read(gate.wait, LARGE, UNKNOWN)
        except Throttled as error:
            refused.append(error)

    for _ in range(LINE + 3):
        nursery.start_soon(stalled)
    await trio.testing.wait_all_tasks_blocked()
    assert len(refused) == 2
    assert await reading.read(lambda: "read", LARGE, 7) == "read"
    gate.set()
