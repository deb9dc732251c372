"""Which URLs an issuer and its keys may have.

What it is: one check, used on the operator's settings and again on what a discovery document answers.
What it will not do: resolve or fetch anything.
It implements OpenID Connect Discovery 1.0 (sections 3 and 4.1) and the TLS requirement of RFC 8414 section 6.1.

Invariant: keys come over TLS, or from this very machine (a development issuer on loopback).
"""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

MAX_URL_CHARACTERS: Final = 2048  # what browsers and proxies agree on
WELL_KNOWN: Final = "/.well-known/openid-configuration"


def url_problem(url: str) -> str:
    """Say what is wrong with a URL in a few words; empty if it may be fetched."""
    if len(url) > MAX_URL_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "is not a plain URL"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "is not a plain URL"
    if not host or "@" in parts.netloc:
        return "needs a host, and no user name"
    if "#" in url:
        return "has a fragment"
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
        return ""
    return "is not https"


def issuer_problem(url: str) -> str:
    """Say what is wrong with an issuer identifier: a URL as above, without a query."""
    return url_problem(url) or ("has a query" if "?" in url else "")


def is_loopback(host: str) -> bool:
    """Tell whether a host name is this machine without asking anyone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def discovery_url(issuer: str) -> str:
    """Give the address of an issuer's configuration document: a trailing slash is taken off first."""
    return issuer.removesuffix("/") + WELL_KNOWN
