"""The dialects: APIs of other gateways and carriers that the gateway answers too."""

from typing import Final, Literal, get_args

DialectName = Literal[
    "generic", "smseagle", "jasmin", "kannel", "playsms", "twilio", "smsgate", "hooks"
]
"""What a dialect is called in the settings, in documents and in metrics."""

DIALECTS: Final[tuple[DialectName, ...]] = get_args(DialectName)

TWILIO: Final[DialectName] = "twilio"
"""The one that a stand-in serves (`phonegate.model.stand_ins`)."""
