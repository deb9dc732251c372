"""The identity part of the configuration: addresses, and one entry for each issuer."""

import pytest
from pydantic import TypeAdapter, ValidationError

from doorward_core.config_identity import IdentitySettings, Issuer, Url
from doorward_core.identity.token import IssuerSettings

URL = TypeAdapter(Url)


@pytest.mark.parametrize(
    "address", ["https://idp.example", "https://idp.example/a?b", "http://127.0.0.1:9400", "http://[::1]/x"]
)
def test_an_address_is_https_or_on_loopback(address: str) -> None:
    assert URL.validate_python(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "http://idp.example",
        "https://",
        "idp.example",
        "https://a@idp.example",
        "ftp://127.0.0.1",
        "https://[idp",
        "http://127.0.0.1.example",
    ],
)
def test_any_other_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        URL.validate_python(address)


def test_an_issuer_stands_once() -> None:
    entry = {"issuer": "https://idp.example", "audience": ("doorward",)}
    with pytest.raises(ValidationError, match="stands here twice"):
        IdentitySettings.model_validate({"issuers": (entry, entry)})


def test_what_is_given_are_arguments_of_the_verifiers_settings() -> None:
    issuer = Issuer(issuer="https://idp.example", audience=("doorward",), skew="5s", groups_claim="roles")
    settings = IssuerSettings(**issuer.settings())
    assert (settings.audiences, settings.skew_s, settings.groups_claim) == (frozenset({"doorward"}), 5, "roles")
