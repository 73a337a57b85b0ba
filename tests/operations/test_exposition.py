"""Metrics as a scraper reads them."""

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from phonegate.histogram import Histogram
from phonegate.operations.exposition import expose
from phonegate.operations.snapshot import Snapshot

from .conftest import make

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def values(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (one.name, tuple(one.labels.values())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_a_scraper_reads_what_the_sample_says(snapshot: Snapshot) -> None:
    text, media = expose(snapshot)
    assert media.startswith("text/plain")
    found = values(text.decode())
    assert found["phonegate_message_events_total", ("accepted",)] == 10
    assert found["phonegate_message_events_total", ("pushed",)] == 6
    assert found["phonegate_messages_stored", ("received",)] == 8
    assert found["phonegate_phones_online", ()] == 3
    assert found["phonegate_queue_messages", ("phone",)] == 3
    assert found["phonegate_queue_oldest_seconds", ("phone",)] == 90
    assert found["phonegate_http_requests_total", ("POST", "/send/{org}", "401")] == 2
    assert found["phonegate_http_refused_total", ("unauthorized",)] == 2
    assert found["phonegate_dialect_requests_total", ("kannel", "refused")] == 4
    assert found["phonegate_carrier_messages_total", ("taken", "twilio")] == 3
    assert found["phonegate_webhook_deliveries_total", ("delivered",)] == 9
    assert found["phonegate_webhook_deliveries_total", ("given_up",)] == 0
    assert found["phonegate_webhook_deliveries_waiting", ()] == 4
    assert found["phonegate_webhook_oldest_seconds", ()] == 8
    assert found["phonegate_cleaned_total", ("text",)] == 2
    assert found["phonegate_cleaned_total", ("entry",)] == 0
    assert found["phonegate_database_log_bytes", ()] == 800
    assert found["phonegate_writer_waiting", ()] == 4
    assert found["process_resident_memory_bytes", ()] > 1e6


@pytest.mark.parametrize("accept", [OPENMETRICS, f"{OPENMETRICS};q=0.5,text/plain;q=0.1"])
def test_openmetrics_is_spoken_where_it_is_asked_for(snapshot: Snapshot, accept: str) -> None:
    text, media = expose(snapshot, accept)
    assert media.startswith("application/openmetrics-text")
    read = openmetrics.text_string_to_metric_families
    families = list(read(text.decode()))  # type: ignore[no-untyped-call]
    assert {"phonegate_message_events", "phonegate_commit_seconds"} <= {f.name for f in families}


def test_buckets_are_cumulative_and_end_with_all() -> None:
    timed = Histogram((0.1, 1.0))
    for value in (0.05, 0.5, 0.7, 3.0):
        timed.note(value)
    text, _ = expose(make(seconds={("GET", "/sims/{org}"): timed}))
    found = {
        one.labels["le"]: one.value
        for family in text_string_to_metric_families(text.decode())
        for one in family.samples
        if one.name == "phonegate_http_request_seconds_bucket"
    }
    assert found == {"0.1": 1, "1.0": 3, "+Inf": 4}


def test_each_scrape_is_a_registry_of_its_own(snapshot: Snapshot) -> None:
    # A registry for the whole process would refuse the second gateway in it, and add to it.
    first, _ = expose(snapshot)
    second, _ = expose(make(connections=99))
    assert values(first.decode())["phonegate_connections", ()] == 11
    assert values(second.decode())["phonegate_connections", ()] == 99


def test_no_label_is_of_an_org(snapshot: Snapshot) -> None:
    text, _ = expose(snapshot)
    assert b"myorg" not in text
    assert b"other" not in text
