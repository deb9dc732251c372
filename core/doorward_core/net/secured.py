"""What the TLS of a connection says of itself, once its handshake is done.

What it will not do: shake hands, seal or unseal (`net.link`).
"""

import ssl


class Secured:
    """A connection that TLS may protect."""

    __slots__ = ("_tls",)

    _tls: ssl.SSLObject | None

    @property
    def encrypted(self) -> bool:
        """Whether TLS protects this link."""
        return self._tls is not None

    @property
    def alpn(self) -> str | None:
        """The application protocol that the handshake agreed on."""
        return None if self._tls is None else self._tls.selected_alpn_protocol()

    @property
    def tls_version(self) -> str | None:
        """As in `TLSv1.3`."""
        return None if self._tls is None else self._tls.version()

    def peer_certificate(self) -> bytes | None:
        """The peer's certificate as DER, if it showed one."""
        return None if self._tls is None else self._tls.getpeercert(binary_form=True)
