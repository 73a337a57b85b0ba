"""The address of a gateway, with what a phone shows there to be let in."""

import ssl
from typing import Final, Self
from urllib.parse import quote, urlencode, urlsplit

import attrs

PATH: Final = "/websocket"
"""Where gateways take phones."""


def _secret_form(_: object, __: object, value: str) -> None:
    if not (value and value.isascii() and value.isprintable() and " " not in value):
        raise ValueError("a secret is printable ASCII without spaces")


@attrs.frozen(kw_only=True)
class Address:
    """The address and the credentials with which a phone connects."""

    host: str
    port: int
    tls: bool
    resource: str
    org: str | None
    """None for an API key, which names its org by itself."""
    secret: str = attrs.field(repr=False, validator=_secret_form)
    secret_in_url: bool = False
    ssl_context: ssl.SSLContext | None = attrs.field(default=None, repr=False)

    @classmethod
    def parse(
        cls,
        url: str,
        org: str | None,
        secret: str,
        *,
        secret_in_url: bool = False,
        ssl_context: ssl.SSLContext | None = None,
    ) -> Self:
        """Reads a `ws`, `wss`, `http` or `https` URL and adds `/websocket` where it is absent.

        Raises:
            ValueError: The URL or the secret is malformed. The text is for a person.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError(f"{url!r} is not a URL: {error}") from error
        if parts.scheme not in {"ws", "wss", "http", "https"} or not host:
            raise ValueError(f"{url!r} is not a ws://, wss://, http:// or https:// URL")
        if parts.query or parts.fragment or parts.username is not None:
            raise ValueError("the URL is scheme, host, port and path alone")
        tls = parts.scheme in {"wss", "https"}
        path = parts.path.rstrip("/")
        return cls(
            host=host,
            port=port or (443 if tls else 80),
            tls=tls,
            resource=path if path.endswith(PATH) else path + PATH,
            org=org,
            secret=secret,
            secret_in_url=secret_in_url,
            ssl_context=ssl_context,
        )

    @property
    def netloc(self) -> str:
        """The `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def target(self, *, device_id: str | None = None, name: str | None = None) -> str:
        """Returns the request target of the upgrade."""
        wanted = {"org_id": self.org, "device_id": device_id, "name": name}
        if self.secret_in_url:
            wanted["secret_key"] = self.secret
        query = {key: value for key, value in wanted.items() if value is not None}
        return f"{quote(self.resource)}?{urlencode(query, quote_via=quote)}"

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Returns the headers of the upgrade, with the secret, which logs leave out there."""
        if self.secret_in_url:
            return []
        secret = self.secret.encode("ascii")
        if self.org is None:
            return [(b"Authorization", b"Bearer " + secret)]
        return [(b"X-Secret-Key", secret)]
