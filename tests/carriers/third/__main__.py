"""phonegate with Acme in its registry: the one line that a new carrier needs in `registry`."""

import sys
from typing import cast

from phonegate.carriers import registry
from phonegate.carriers.provider import Provider
from tests.carriers.third import PROVIDER

cast(dict[str, Provider], registry.CARRIERS)[PROVIDER.name] = PROVIDER
registry.PROVIDERS = (*registry.CARRIERS, "phone")  # type: ignore[misc]

from phonegate.cli import main  # noqa: E402 - everything else is made from the registry

sys.exit(main())
