"""Both carriers' APIs on a real socket, with every kind of trouble on demand.

`FakeCarrier` serves from a nursery of the test, `FakeCarrierProcess` as a program of its own
(`python -m tests.carriers.fake_carrier --port 8090`), which people who try the gateway out can
run too. What it answers follows the carriers' documents; where those are silent it takes the
side that is harder for a client, and says so.
"""

from tests.carriers.fake_carrier.accounts import TelnyxAccount, TwilioAccount
from tests.carriers.fake_carrier.carrier import FakeCarrier
from tests.carriers.fake_carrier.faults import Fault, FaultKind, RandomFaults
from tests.carriers.fake_carrier.ledger import Ledger, SeenRequest, SentCallback
from tests.carriers.fake_carrier.message import Sms
from tests.carriers.fake_carrier.process import FakeCarrierProcess

__all__ = [
    "FakeCarrier",
    "FakeCarrierProcess",
    "Fault",
    "FaultKind",
    "Ledger",
    "RandomFaults",
    "SeenRequest",
    "SentCallback",
    "Sms",
    "TelnyxAccount",
    "TwilioAccount",
]
