"""The load's phones."""

from kit.load import phones


def test_frames_are_read_whole_and_in_every_length() -> None:
    short, middle, long = b"\x81\x02hi", b"\x81\x7e\x01\x00" + b"x" * 256, b"\x81\x7f" + bytes(7)
    buffer = short + middle + long
    assert [(op, end - start) for op, start, end in phones.frames(buffer, 0)] == [(1, 2), (1, 256)]
