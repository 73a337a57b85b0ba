"""Every case of abuse, declared by its module."""

from trials.abuse.case import CASES
from trials.abuse.cases import (  # noqa: F401 - importing them declares their cases
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

__all__ = ["CASES"]
