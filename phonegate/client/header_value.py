"""What a header of a request can hold. Pure."""


def is_header_value(text: str) -> bool:
    """Tells whether a header can hold a text: printable ASCII, without blanks at its ends."""
    return bool(text) and text.isascii() and text.isprintable() and text == text.strip()
