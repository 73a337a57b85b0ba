"""How many values a JSON text has, counted in a small part of the time that reading it takes. Pure.

What reading costs is the number of values, more than the number of bytes: a megabyte of nested
lists takes a hundred times as long as a megabyte of text.
"""


def has_more_values(text: str, most: int) -> bool:
    """Whether a text has more than `most` commas and opening brackets outside of its strings.

    In JSON each value but the first has one of its own before it.
    """
    if _opened(text) <= most:
        return False
    outside = text.replace("\\\\", "").replace('\\"', "")
    if outside.count('"') > 4 * (most + 1):
        # More strings than so many values and their names; to take them apart is what costs.
        return True
    return _opened("".join(outside.split('"')[::2])) > most


def _opened(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")
