"""The screen of figures: choosing a time and a SIM, what is shown of it, and the file."""

import csv
import io
import re
from datetime import datetime

import pytest

from phonegate.model.times import HOUR_MS
from phonegate.pages.console.figures.figure_plots import _change
from phonegate.store.tables import Tables
from tests.api.conftest import ORG, SECRET, Web
from tests.domain.figure_rows import add_figures
from tests.pages.console.conftest import Person

SIM = "+15550000001"


async def _fill(web: Web) -> int:
    """Adds figures of this hour and of the day before. Returns the hour."""
    found = await web.services.accounts.orgs.all()
    org = next(one.id for one in found if one.name == ORG)
    hour = web.services.now_ms() // HOUR_MS

    def fill(tx: Tables) -> None:
        for age, sent in ((0, 30), (3, 10), (26, 20)):
            waits = {"to_sent_4": sent, "to_delivered_9": 5}
            counts = {"sent": sent, "segments": 2 * sent, "failed": 1, "delivered": 5}
            add_figures(tx, org, hour - age, SIM, **counts, **waits)
        add_figures(tx, org, hour, "=cmd|'/c calc'!A0", received=7)

    await web.database.write(fill)
    return hour


def _totals(text: str) -> dict[str, str]:
    return dict(
        re.findall(r'total-title">([^<]+)</span><strong class="total-value[^>]*>([^<]+)<', text)
    )


async def test_the_last_day_is_shown_with_what_has_changed(web: Web) -> None:
    await _fill(web)
    person = await Person.signed_in(web)
    text = (await person.look("/figures")).text

    assert _totals(text) == {
        "Sent": "40",
        "Delivered": "10",
        "Not sent": "2",
        "Received": "7",
        "Segments": "80",
        "Time until sent": "4 s",
        "Time until delivered": "1 min 30 s",
    }
    assert "2 times as many as before (20)" in text
    assert "half of them; 95 % within 4.9 s" in text
    assert len(re.findall(r'role="img"', text)) == 2 * 6
    assert '<th scope="row"><a' in text
    assert "=cmd|&#39;/c calc&#39;!A0" in text
    assert "Time zone: UTC." in text
    hours = re.findall(r'<th scope="row">[^<]*, [0-2][0-9]:00</th>', text)
    assert len(hours) == 6 * 24


async def test_a_sim_and_a_time_are_chosen(web: Web) -> None:
    await _fill(web)
    person = await Person.signed_in(web)
    week = (await person.look("/figures?range=7d&sim=%2B15550000001")).text
    year = (await person.look("/figures?range=1y")).text
    none = (await person.look("/figures?from=2020-01-02&to=2020-01-01&zone=Europe/Berlin")).text

    assert _totals(week)["Sent"] == "60"
    assert _totals(week)["Received"] == "0"
    assert f"<bdi>{SIM}</bdi>" in week
    assert "Show all SIMs" in week
    assert _totals(year)["Received"] == "7"
    assert len(re.findall(r'scope="row">week from', year)) == 6 * 52
    assert "Wed 1 Jan 2020 to Thu 2 Jan 2020" in none
    assert "Time zone: Europe/Berlin." in none
    assert none.count("Nothing in this time.") == 6
    assert '<svg class="plot' not in none


async def test_a_part_and_a_file_show_the_same(web: Web) -> None:
    hour = await _fill(web)
    person = await Person.signed_in(web)
    part = (await person.look("/figures/part?range=7d")).text
    file = await person.look("/figures.csv?range=24h&zone=Asia/Kolkata")

    assert "<html" not in part
    assert _totals(part)["Sent"] == "60"
    assert file.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in file.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert [(row["sim"], row["sent"], row["received"]) for row in rows] == [
        (SIM, "10", "0"),
        (SIM, "30", "0"),
        ("'=cmd|'/c calc'!A0", "0", "7"),
    ]
    begins = datetime.fromisoformat(rows[1]["from"])
    assert begins.timestamp() == hour * 3600
    assert rows[1]["from"].endswith("+05:30")
    assert (rows[1]["median_s_to_sent"], rows[2]["median_s_to_sent"]) == ("4.0", "")


@pytest.mark.parametrize(
    "query",
    [
        "range=x&by=y&zone=No/Where",
        "from=x&to=9999-99-99",
        "zone=../../etc/passwd",
        "from=0001-01-01&to=9999-12-31",
        f"sim={'x' * 5000}",
        "range=days",
    ],
)
async def test_what_can_not_be_understood_counts_as_not_said(web: Web, query: str) -> None:
    person = await Person.signed_in(web)

    text = (await person.look(f"/figures?{query}")).text
    assert "Time zone: UTC." in text
    await person.look(f"/figures.csv?{query}")


async def test_the_cookie_of_a_script_chooses_the_zone(web: Web) -> None:
    person = await Person.signed_in(web)
    person.client.cookies.set("phonegate_zone", "Asia/Tokyo")

    assert "Time zone: Asia/Tokyo." in (await person.look("/figures")).text


async def test_a_key_that_sees_some_messages_is_refused_in_a_sentence(web: Web) -> None:
    await _fill(web)
    made = await web.call(
        "POST",
        "/keys/myorg",
        {"name": "some", "scopes": ["read"], "limits": {"from": ["+1555*"]}},
    )
    person = await Person.signed_in(web, secret=made.json["key"], org="")
    text = (await person.look("/figures")).text

    assert "this API key reads only some of them" in text
    assert "total-value" not in text
    await person.look("/figures.csv", status=403)


async def test_what_a_phone_sends_is_in_the_figures(web: Web) -> None:
    sms = {"address": "+15551112222", "body": "hello", "sim_slot": 0, "date": 1}
    answer = await web.call("POST", "/webhook", {"org_id": "myorg", "messages": [sms]})
    assert answer.status == 200, answer.json
    person = await Person.signed_in(web)

    assert _totals((await person.look("/figures")).text)["Received"] == "1"
    assert SECRET not in (await person.look("/figures")).text


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        (0, 0, "none before either"),
        (5, 5, "as many as before"),
        (5, 0, "none before"),
        (1001, 1000, "about as many as before (1,000)"),
        (1200, 1000, "20% more than before (1,000)"),
        (0, 30, "100% fewer than before (30)"),
        (300, 30, "10 times as many as before (30)"),
        (40_000, 20_000, "2 times as many as before (20k)"),
    ],
)
def test_a_change_is_said_in_words(now: int, before: int, words: str) -> None:
    assert _change(now, before) == words
