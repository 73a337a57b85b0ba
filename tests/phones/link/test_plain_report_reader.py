import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain.plain_reports import PlainReports
from phonegate.phones import frames
from phonegate.phones.frames import FrameFault
from phonegate.phones.link.frame_reader import read
from phonegate.phones.link.plain_report_reader import read_plain_reports


@pytest.mark.parametrize(
    ("frame", "sent"),
    [
        ('{"type":"send_result","id":5,"success":true}', (5, None)),
        ('{"type": "send_result", "id": 5, "success": true}', (5, None)),
        ('{"type":"send_result","success":true,"id":5}', (5, None)),
        ('{"type":"send_result","id":5,"success":true,"segments":2}', (5, 2)),
    ],
)
def test_results_are_known_as_phones_write_them(frame: str, sent: tuple[int, int | None]) -> None:
    assert read_plain_reports([frame]) == PlainReports([], [sent])


def test_an_ack_before_its_result_says_nothing_more() -> None:
    said = ['{"type":"ack","id":5}', '{"type": "ack", "id": 6}']
    assert read_plain_reports(said) == PlainReports([5, 6], [])
    said.append('{"type":"send_result","id":5,"success":true}')
    assert read_plain_reports(said) == PlainReports([6], [(5, None)])


@pytest.mark.parametrize(
    "frame",
    [
        b'{"type":"ack","id":5}',
        '{"type":"send_result","id":5,"success":false}',
        '{"type":"send_result","success":false,"id":5}',
        '{"type":"send_result","id":5,"success":false,"segments":2}',
        '{"type":"send_result","id":5,"success":true,"error":"x"}',
        '{"type":"send_result","id":5,"success":true,"segments":256}',
        '{"type":"send_result","id":"5","success":true}',
        '{"type":"ack","id":\u0665}',
        '{"type":"ack","id":0}',
        '{"type":"ack","id":1000000000000000000}',
        '{"type":"ping"}',
        '{"type":"ack","id":5}\n',
    ],
)
def test_whatever_else_comes_is_left_to_the_other_reader(frame: str | bytes) -> None:
    assert read_plain_reports([frame]) is None
    assert read_plain_reports(['{"type":"ack","id":5}', frame]) is None


PIECE = st.sampled_from(
    [
        '"type":',
        '"send_result"',
        '"ack"',
        '"id":',
        "5",
        "05",
        "256",
        "300",
        '"success":',
        "true",
        "false",
        '"segments":',
        ",",
        ", ",
        " ",
        "{",
        "}",
        '"uncertain":',
        "null",
        "99999999999999",
    ]
)
FORM = st.sampled_from(
    [
        '{"type":"send_result","id":7,"success":true}',
        '{"type": "send_result", "success": true, "id": 7}',
        '{"type":"send_result","id":7,"success":true,"segments":3}',
        '{"type":"ack","id":7}',
    ]
)


@settings(max_examples=500)
@given(FORM, st.integers(0, 60), st.integers(0, 12), st.lists(PIECE, max_size=3).map("".join))
def test_what_it_takes_the_other_reader_takes_as_the_same(
    form: str, at: int, cut: int, piece: str
) -> None:
    frame = form[:at] + piece + form[at + cut :]
    plain = read_plain_reports([frame])
    if plain is None:
        return
    said = read(frame)
    assert not said.cleaned
    assert said.complaint is None
    expected: frames.PhoneFrame
    if plain.acked:
        expected = frames.Ack(id=plain.acked[0])
    else:
        ((id_, segments),) = plain.sent
        expected = frames.SendResult(id=id_, success=True, segments=segments)
    assert said == expected


def test_the_other_reader_knows_every_form() -> None:
    with pytest.raises(FrameFault):
        read('{"type":"ack","id":0}')
    assert read('{"type":"ack","id":"5"}') == frames.Ack(id=5)
