"""One kind of trouble doesn't fill the log."""

import io
import json

import pytest

from phonegate import log


def test_a_field_status_may_be_the_state_of_a_message() -> None:
    stream = io.StringIO()
    log.configure("json", "info", stream, trouble_per_s=1)
    for status in ("delivered", None):
        log.get("test").info("message_reported", status=status)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["status"] for line in lines] == ["delivered", None]


def test_trouble_is_thinned_and_what_was_left_out_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream, now = io.StringIO(), [100.0]
    monkeypatch.setattr("phonegate.log.thinning.time.monotonic", lambda: now[0])
    log.configure("json", "info", stream, trouble_per_s=1)
    logger = log.get("test")
    for status in (*[401] * 50, *[200] * 50):
        logger.info("request", status=status)
    for _ in range(3):
        logger.error("storage_unavailable")
        logger.info("phone_connected")
    now[0] += 1
    logger.info("request", status=503)
    logger.info("request", status=503)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    statuses = [line["status"] for line in lines if line["event"] == "request"]
    assert statuses == [*[401] * 20, *[200] * 50, 503]
    assert [line["untold"] for line in lines if "untold" in line] == [30]
    assert sum(line["event"] == "storage_unavailable" for line in lines) == 3
    assert sum(line["event"] == "phone_connected" for line in lines) == 3
