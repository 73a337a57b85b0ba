"""Every kind of abuse there is, told of by its module."""

from bench.abuse import (  # noqa: F401 - to be told of is what they are imported for
    clocks,
    costly,
    documents,
    floods,
    half_open,
    paths,
    readers,
    slow,
    smuggling,
    storage,
)
from bench.abuse.kind import KINDS

__all__ = ["KINDS"]
