"""An issuer at a fixed time, and the settings that trust it."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from doorward_core.identity.keys import parse_jwks
from doorward_core.identity.token import IssuerSettings
from doorward_demo.issuer import DevelopmentIssuer

NOW_S = 1_800_000_000


@pytest.fixture(scope="module")
def es256() -> Iterator[DevelopmentIssuer]:
    """Not started: it signs, and nobody fetches."""
    issuer = DevelopmentIssuer(algorithm="ES256", clock=lambda: NOW_S * 1_000_000_000)
    yield issuer
    issuer.close()


@pytest.fixture(scope="module")
def world(es256: DevelopmentIssuer) -> SimpleNamespace:
    """The issuer, its keys, and settings with nothing but defaults."""
    return SimpleNamespace(
        issuer=es256,
        keys=parse_jwks(es256.jwks()),
        settings=IssuerSettings(es256.url, frozenset({"doorward"})),
        now_s=NOW_S,
        now_ns=NOW_S * 1_000_000_000,
    )
