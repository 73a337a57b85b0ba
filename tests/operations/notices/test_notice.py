"""One notice in the forms that targets take."""

import json

from phonegate.operations.notices.notice import (
    MOST_LISTED,
    SMS_LENGTH,
    Notice,
    cleared,
    raised,
    together,
    trial_notice,
)

FIELDS = {"org": "club", "messages": 3, "phone": 7}
AWAY = ("phone_away", "club")


def away(org: str = "club") -> Notice:
    return raised(("phone_away", org), FIELDS | {"org": org}, since=0.0, now=420.0)


def test_a_program_gets_what_is_known_and_what_a_person_reads() -> None:
    notice = away()
    found = json.loads(json.dumps(notice.as_json()))
    assert found == {
        "alarm": "phone_away",
        "about": "club",
        "state": "raised",
        "title": "Phone away",
        "sentence": notice.sentence,
        "remedy": notice.remedy,
        "text": f"{notice.sentence} {notice.remedy}",
        "since": "1970-01-01T00:00:00Z",
        "lasted_s": None,
        "times": 1,
        "fields": FIELDS,
    }


def test_an_sms_is_short() -> None:
    notice = away()
    assert notice.sms == f"phonegate: {notice.sentence}"
    assert len(notice.sms) <= 160
    assert notice.remedy not in notice.sms
    long = together([away(f"organisation-{n}") for n in range(9)])
    assert len(long.sms) == SMS_LENGTH
    assert long.sms.endswith("...")


def test_several_are_one_with_the_first_in_words_and_all_in_json() -> None:
    over = cleared(AWAY, FIELDS, since=0.0, lasted_s=9.0, now=60.0)
    notice = together([*(away(f"org-{n}") for n in range(60)), over])
    assert (notice.alarm, notice.state, notice.title) == ("several", "raised", "61 alarms")
    assert notice.sentence.startswith("61 alarms, 60 began and 1 are over. Phone away: 3 messages")
    assert notice.sentence.endswith("And 58 more: `phonegate alarms list`.")
    assert len(notice.as_json()["alarms"]) == MOST_LISTED
    assert notice.values("org") == {"club", *(f"org-{n}" for n in range(60))}
    assert together([over]) is over


def test_it_knows_what_it_is_about() -> None:
    assert away().values("phone") == {7}
    assert away().values("assistant") == set()


def test_a_test_says_that_it_is_one() -> None:
    notice = trial_notice()
    assert (notice.alarm, notice.state) == ("test", "test")
    assert "test" in notice.sms
