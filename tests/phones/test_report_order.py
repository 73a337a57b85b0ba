from phonegate.domain.inbox import Received
from phonegate.domain.received_sms import Unread
from phonegate.phones import frames
from phonegate.phones.report_order import Stored, stored, texts_of

TEXTS = [Received(address="+1555", body=f"text {n}") for n in range(3)]
UNREAD = Unread(local_id=None, field="body", problem="is missing")


def test_each_frame_of_texts_gets_the_ids_of_its_own() -> None:
    reports = [
        frames.Inbound(messages=(TEXTS[0],)),
        frames.Inbound(messages=(UNREAD, TEXTS[1], TEXTS[2])),
        frames.Inbound(messages=(UNREAD,)),
    ]
    assert texts_of(reports) == [TEXTS[:1], TEXTS[1:], []]
    assert stored(reports, (4, 5, 6)) == [Stored((4,)), Stored((None, 5, 6)), Stored((None,))]


def test_other_reports_are_no_texts() -> None:
    assert texts_of([frames.Inbound(messages=(TEXTS[0],)), frames.Ping()]) is None
