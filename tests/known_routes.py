"""The routes of an app, which are compiled once in a worker of pytest and not in every app.

They are three quarters of what an app costs, and the suite has thousands of apps. Routes hold names
of handlers and no handlers, so that apps with the same routes can share them.
"""

from collections.abc import Hashable
from copy import copy
from operator import attrgetter
from typing import Any

from quart.routing import QuartMap
from werkzeug.routing import Map, Rule, RuleFactory

_FIELDS = attrgetter(
    *("rule", "endpoint", "websocket", "strict_slashes", "merge_slashes", "subdomain", "host"),
    *("build_only", "alias", "redirect_to", "provide_automatic_options"),
)

_COMPILED: dict[Hashable, QuartMap] = {}


class KnownRoutes(QuartMap):
    """Keeps what is added for the first request, and takes then what an app before it compiled."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._added: list[Rule] = []
        self._changed = False
        self._options = args, tuple(sorted(options.items()))
        super().__init__(*args, **options)

    def add(self, rulefactory: RuleFactory) -> None:
        """Adds what is compiled once it is needed."""
        self._added += rulefactory.get_rules(self)
        self._changed = True

    def update(self) -> None:
        """Compiles what was added, unless that was done before."""
        if self._changed:
            key = (*self._options, self.merge_slashes, *map(_content, self._added))
            compiled = _COMPILED.get(key)
            if compiled is None:
                compiled = _COMPILED[key] = self._compile()
            self._matcher = compiled._matcher
            self._rules_by_endpoint = compiled._rules_by_endpoint
            self._remap = self._changed = False
        super().update()

    def _compile(self) -> QuartMap:
        args, options = self._options
        compiled = QuartMap(*args, **dict(options))
        compiled.merge_slashes = self.merge_slashes
        for rule in self._added:
            # A rule belongs to one map for ever.
            Map.add(compiled, copy(rule))
        compiled.update()
        return compiled


def _content(rule: Rule) -> Hashable:
    """Returns all that a rule says before a map has it."""
    methods = None if rule.methods is None else frozenset(rule.methods)
    return (methods, repr(rule.defaults), _FIELDS(rule))
