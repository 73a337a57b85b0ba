"""Operations of one kind that can be done together: many rows by one statement.

What waits for the writer side by side is often of one kind: sends, or results of phones. A joint
operation says how many of its kind are done at once, and remains what it is alone.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from phonegate.store.tables import Tables

T = TypeVar("T")


class Joint(Generic[T]):
    """An operation for the writer that can be done together with others of its class.

    Those of one class that wait side by side are done in the order of their arrival, those of
    different classes in any order: what they do must come to the same.
    """

    __slots__ = ()

    size: int
    """How many rows it stores or changes."""

    def __call__(self, tx: "Tables") -> T:
        """Does this one alone. What it raises undoes it."""
        raise NotImplementedError

    @classmethod
    def together(cls, tx: "Tables", ones: Sequence[Self]) -> Sequence[T | Exception] | None:
        """Does several as each would have been done alone, one after the other.

        Returns:
            What came of each, in their order: its result, or the error that it would have raised
            alone, where it has changed nothing. None, like whatever this raises, undoes them
            all, and each is then done alone.
        """
        raise NotImplementedError
