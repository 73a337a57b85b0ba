from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.reported_texts import is_device_id, label, one_line, sender
from phonegate.model.bounds import MAX_LABEL
from phonegate.model.numbers import is_sender

TEXT = st.text(st.characters(exclude_categories=[]), max_size=80)


@given(TEXT)
def test_one_line_is_one_line_and_stays_it(text: str) -> None:
    line = one_line(text)
    assert line == one_line(line)
    assert len(f"x{line}x".splitlines()) == 1
    line.encode()
    assert len(label(text) or "") <= MAX_LABEL
    assert sender(text) == "" or is_sender(sender(text))


def test_device_ids() -> None:
    assert is_device_id("Pixel 7 of \u00dcnal")
    assert is_device_id("Free\u00a0Mobile")
    assert not any(map(is_device_id, ["", " ", "x" * 129, "a\nb", "a\0", "\ud800"]))
