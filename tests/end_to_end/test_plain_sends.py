"""Plain sends over a socket, answered from their commit."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from phonegate.config.settings import HttpSettings, TlsSettings
from phonegate.server import Server
from tests.api.conftest import ORG
from tests.api.test_plain_send import OWN, TEXT, World, world
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S
from tests.server.site import until
from tests.server.test_fast_path import Client


@asynccontextmanager
async def served() -> AsyncIterator[tuple[World, int]]:
    async with world() as made, trio.open_nursery() as nursery:
        server = Server(
            HttpSettings(bind=("127.0.0.1:0",)),
            TlsSettings(),
            make_app=lambda: no_application,
            serve_phone=no_application,
            fast_pipeline=made.pipeline,
        )
        bound = await nursery.start(server.serve)
        with trio.fail_after(PATIENCE_S):
            yield made, bound[0][1]
        nursery.cancel_scope.cancel()


async def no_application(*_: object) -> None:
    raise AssertionError("no test here asks anything else")


def request(content: Any, *lines: str) -> bytes:
    body = json.dumps(content).encode()
    head = (
        f"POST /send/{ORG} HTTP/1.1",
        "Host: gate.lan",
        f"X-Secret-Key: {OWN}",
        f"Content-Length: {len(body)}",
        *lines,
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def test_requests_in_one_write_are_answered_in_order() -> None:
    async with served() as (made, port), await trio.open_tcp_stream("127.0.0.1", port) as stream:
        client = Client(stream)
        bodies = [f"number {number}" for number in range(40)]
        await stream.send_all(b"".join(request({**TEXT, "body": one}) for one in bodies))
        answers = [await client.answer() for _ in bodies]
        assert [answer.status for answer in answers] == [200] * 40
        assert [answer.json["results"][0]["id"] for answer in answers] == [*range(1, 41)]
        assert [message.body for message in made.phones.pushed] == bodies


async def test_those_of_many_connections_share_commits_and_each_gets_its_own_answer() -> None:
    async with served() as (made, port), trio.open_nursery() as nursery:
        answers: dict[str, Any] = {}

        async def send(body: str) -> None:
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                client = Client(stream)
                for turn in range(5):
                    text = f"{body} {turn}"
                    answers[text] = (await client.ask(request({**TEXT, "body": text}))).json

        for number in range(20):
            nursery.start_soon(send, f"client {number}")
        await until(lambda: len(answers) == 100)
        told = {answer["results"][0]["id"]: body for body, answer in answers.items()}
        assert told == {message.id: message.body for message in made.phones.pushed}


async def test_a_client_that_leaves_before_its_answer_has_sent_all_the_same() -> None:
    with capture_logs() as logged:
        async with served() as (made, port):
            async with made.held() as go_on:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                await stream.send_all(request(TEXT))
                await until(lambda: len(made.services.shares) == 1)
                await stream.aclose()
                go_on()
            await until(lambda: bool(made.phones.pushed))
            assert made.phones.reserved == 0
    assert [one["status"] for one in logged if one["event"] == "request"][-1] == 200


async def test_a_store_that_goes_down_is_answered_as_ever() -> None:
    async with served() as (made, port), await trio.open_tcp_stream("127.0.0.1", port) as stream:
        client = Client(stream)
        assert (await client.ask(request(TEXT))).status == 200
        made.database.stop_writing()
        answer = await client.ask(request(TEXT))
        assert (answer.status, answer.json["code"]) == (503, "storage_unavailable")
        assert (made.phones.reserved, len(made.services.shares)) == (0, 0)


async def test_a_request_that_comes_before_the_answer_to_another_waits_for_it() -> None:
    async with served() as (made, port), await trio.open_tcp_stream("127.0.0.1", port) as stream:
        client = Client(stream)
        async with made.held() as go_on:
            await stream.send_all(request(TEXT))
            await stream.send_all(request({"to": "112"}))
            await until(lambda: len(made.services.shares) == 1)
            go_on()
            assert [(await client.answer()).status, (await client.answer()).status] == [200, 400]
