"""Methods that are compiled when they are first called do what attrs' own do."""

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

def same(one, other):
    return one == other, one != other, hash(one) == hash(other)

def facts():
    made = classes()
    keyed, node, leaf, opened, failure, _ = made
    again = attrs.evolve(keyed)
    try:
        type(keyed)("x")
    except TypeError as error:
        refused = str(error)
    try:
        hash(node)
    except TypeError as error:
        refused += str(error)
    return (
        [repr(one) for one in made],
        [repr(one) for one in made],
        same(keyed, again), same(keyed, made[5]), keyed == 3, opened == type(opened)(3),
        failure == type(failure)("gone"), leaf == leaf.own, failure.args, refused,
        str(type(keyed).__init__.__annotations__), type(keyed).__init__.__qualname__,
        type(keyed).__match_args__, len({keyed, again, made[5]}),
    )

usual = facts()
import attr._make as make
builder = make._ClassBuilder
own = builder._eval_snippets
make._ClassBuilder = None
from phonegate import deferred_methods
deferred_methods.defer()
make._ClassBuilder = builder
assert builder._eval_snippets is own, "an attrs without it"

snippets = make._make_eq_script
make._make_eq_script = lambda fields: ("x = 1", {})
deferred_methods.defer()
make._make_eq_script = snippets
assert builder._eval_snippets is own, "an attrs that works otherwise"

for _ in range(2):
    deferred_methods.defer()
assert builder._eval_snippets is not own
assert facts() == usual, (facts(), usual)
assert "hunter2" not in str(usual)

keyed = type(classes()[0])
stand_in = keyed.__eq__
assert keyed(name="x", secret="", cut="") == keyed(name="x", secret="", cut="")
assert keyed.__eq__ is not stand_in, "it is called but once"
assert keyed.__eq__.__qualname__ == stand_in.__qualname__
print("done")
"""


def test_they_do_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "done", done.stderr
