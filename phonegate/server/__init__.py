"""The one listener. It reads the head of each request and picks what serves the connection."""

from .app_call import AsgiApp
from .connection import ServePhone
from .errors import AppUnusable, CannotListen, CertificateUnusable, ServerError
from .fast_pipeline import FastPipeline
from .forwarded import Peer
from .head import RequestHead
from .server import Server
from .stand_in import StandIn

__all__ = [
    "AppUnusable",
    "AsgiApp",
    "CannotListen",
    "CertificateUnusable",
    "FastPipeline",
    "Peer",
    "RequestHead",
    "ServePhone",
    "Server",
    "ServerError",
    "StandIn",
]
