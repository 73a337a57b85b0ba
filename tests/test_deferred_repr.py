"""A `__repr__` that is made when it is asked for says what attrs' own says."""

import subprocess
import sys

PROGRAM = """
import sys
import attrs

def classes():
    @attrs.frozen(kw_only=True)
    class Keyed:
        name: str
        secret: str = attrs.field(repr=False)
        cut: str = attrs.field(repr=lambda text: text[:3] + "...")

    @attrs.define
    class Node:
        below: list = attrs.field(factory=list)
        later: int = attrs.field(init=False)

    @attrs.define
    class Leaf(Node):
        own: int = 3

        def __repr__(self):
            return "Leaf()"

    @attrs.frozen(slots=False)
    class Open:
        at: int

    @attrs.define
    class Failure(Exception):
        reason: str

    node = Node()
    node.below.append(node)
    keyed = Keyed(name="x", secret="hunter2", cut="abcdefgh")
    return [keyed, node, Leaf(), Open(3), Failure("gone"), Keyed(name="y", secret="", cut="")]

usual = [repr(one) for one in classes()]
from phonegate import deferred_repr
for _ in range(2):
    deferred_repr.defer()
deferred = classes()
assert [repr(one) for one in deferred] == usual, usual
assert [repr(one) for one in deferred] == usual, "and again"
assert type(deferred[0]).__repr__.__qualname__.endswith("Keyed.__repr__")
assert "hunter2" not in str(usual)
import attr._make as make
assert "__repr__" in type(deferred[3]).__dict__
del make._make_repr_script
try:
    deferred_repr.defer()
finally:
    print("done")
"""


def test_it_says_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "done", done.stderr
