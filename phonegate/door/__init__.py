"""The one listener: reads each request's head and picks the lane that serves it."""

from .entrance import Door
from .errors import AppUnusable, CannotListen, CertificateUnusable, DoorError
from .express import HotDesk
from .forwarded import Peer
from .head import RequestHead
from .lanes import PhoneLane

__all__ = [
    "AppUnusable",
    "CannotListen",
    "CertificateUnusable",
    "Door",
    "DoorError",
    "HotDesk",
    "Peer",
    "PhoneLane",
    "RequestHead",
]
