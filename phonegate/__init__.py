"""phonegate: an SMS gateway that turns Android phones into an HTTP API."""

__version__ = "0.1.0"
