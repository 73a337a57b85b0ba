"""Imports point down the layers, never up and never in a circle, type-checking imports included."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = "phonegate"

LAYERS: tuple[frozenset[str], ...] = (
    # What knows nothing of SMS.
    frozenset(
        {
            "__init__",
            "bind_address",
            "colour",
            "deferred_methods",
            "environment_proxies",
            "event_stream",
            "file_owner",
            "histogram",
            "local_ca",
            "log",
            "own_addresses",
            "process",
            "quantities",
            "rates",
            "standard_webhooks",
            "supervisor",
            "trust",
            "turn_end",
            "typed_json",
            "values",
        }
    ),
    frozenset({"model"}),
    # The client of other programs, which loads nothing of the gateway.
    frozenset({"client"}),
    frozenset({"config.faults", "config.settings"}),
    frozenset({"store"}),
    frozenset({"domain"}),
    frozenset({"http"}),
    # They don't know each other.
    frozenset({"carriers", "events", "phone", "phones", "server"}),
    frozenset({"api", "builtin_phone"}),
    frozenset({"pages"}),
    frozenset({"config"}),
    frozenset({"assembly"}),
    frozenset({"operations"}),
    frozenset({"applications"}),
    frozenset({"gateway"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
"""From the ground up. A package stands above all that it imports. Those of one layer are apart."""

FOUNDATION = LAYERS[0]

WITHOUT_STORE = frozenset(
    {"api", "builtin_phone", "carriers", "cli", "http", "pages", "phone", "phones", "server"}
)
"""They call named operations of the domain, never tables."""


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


SOURCES = {_name(path): path for path in sorted((ROOT / PACKAGE).rglob("*.py"))}


def _targets(module: str, node: ast.AST) -> Iterator[str]:
    """The modules of the package that a statement imports."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            is_package = SOURCES[module].name == "__init__.py"
            up = module.split(".")[: None if is_package and node.level == 1 else -node.level]
            base = ".".join(filter(None, (PACKAGE, *up, base)))
        names = [f"{base}.{alias.name}" for alias in node.names]
    else:
        return
    for name in names:
        if not f"{name}.".startswith(f"{PACKAGE}."):
            continue
        inner = name.split(".")[1:]
        while inner and ".".join(inner) not in SOURCES:
            inner.pop()
        yield ".".join(inner) or "__init__"


@cache
def _imports() -> dict[str, set[str]]:
    """The imports of every module. Not made before a test runs: every worker imports this file."""
    return {
        module: {
            target
            for node in ast.walk(ast.parse(path.read_text()))
            for target in _targets(module, node)
            if target != module
        }
        for module, path in SOURCES.items()
    }


def _layer(module: str) -> tuple[int, str]:
    parts = module.split(".")
    for size in (2, 1):
        name = ".".join(parts[:size])
        for height, members in enumerate(LAYERS):
            if name in members:
                return height, name
    raise AssertionError(f"{module} has no layer: give it one here and in docs/architecture.md")


def _edges() -> Iterator[tuple[str, str]]:
    for module, targets in _imports().items():
        for target in targets:
            yield module, target


def test_imports_are_found() -> None:
    assert "phones.switchboard" in _imports()["assembly"]
    assert "server.server" in _imports()["server"], "a relative import"
    assert "__init__" in _imports()["cli"], "the package itself"


def test_every_module_has_a_layer() -> None:
    assert all(_layer(module) for module in SOURCES)


def test_imports_point_down() -> None:
    wrong = []
    for module, target in _edges():
        (height, member), (below, other) = _layer(module), _layer(target)
        apart = height == below and member != other and member not in FOUNDATION
        if below > height or apart:
            wrong.append(f"{module} imports {target}")
    assert not wrong


def test_only_the_domain_and_what_operates_the_gateway_know_tables() -> None:
    wrong = [
        f"{module} imports {target}"
        for module, target in _edges()
        if _layer(module)[1] in WITHOUT_STORE and _layer(target)[1] == "store"
    ]
    assert not wrong


def test_nothing_imports_itself_in_a_circle() -> None:
    waiting = {module: set(targets) for module, targets in _imports().items()}
    while free := [module for module, targets in waiting.items() if not targets]:
        for module in free:
            del waiting[module]
        for targets in waiting.values():
            targets.difference_update(free)
    # What only imports a circle is in none.
    while roots := waiting.keys() - set().union(*waiting.values()):
        for module in roots:
            del waiting[module]
    assert not waiting
