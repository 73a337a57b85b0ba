"""Both carriers' APIs on a real socket, with every kind of trouble on demand.

`FakeCarrier` serves from a nursery of the test, `FakeCarrierProcess` as a program of its own
(`python -m kit.fake_carrier --port 8090`), which people who try the gateway out can
run too. What it answers follows the carriers' documents; where those are silent it takes the
side that is harder for a client, and says so.
"""

from kit.fake_carrier.accounts import TelnyxAccount, TwilioAccount
from kit.fake_carrier.carrier import FakeCarrier
from kit.fake_carrier.faults import Fault, FaultKind, RandomFaults
from kit.fake_carrier.ledger import Ledger, SeenRequest, SentCallback
from kit.fake_carrier.message import Sms
from kit.fake_carrier.process import FakeCarrierProcess

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
