"""Whatever a configuration names outside of itself is found, however deep it lies."""

from pathlib import Path

from pydantic import Field

from doorward_core.config import Account, Door, ServerTls
from doorward_core.config_named import authorities, certificates, secrets
from doorward_core.config_secrets import SecretSource
from doorward_core.config_types import Strict

PAIR = ServerTls.model_construct(certificate=Path("tls.crt"), key=Path("tls.key"))
PASSWORD = SecretSource(env="APP_PASSWORD")


class Believed(Strict):
    """A target that is believed by a file, and shown nothing."""

    ca: Path | None
    certificate: Path | None = None
    key: Path | None = None


class Whole(Strict):
    """Something of each."""

    listen: tuple[Door, ...] = ()
    accounts: dict[str, Account] = Field(default_factory=dict)
    tls: Believed = Believed(ca=None)
    target: object = None


def test_secrets_come_with_their_key_path():
    whole = Whole(accounts={"app": Account(user="app", password=PASSWORD), "reader": Account(user="reader")})
    assert list(secrets(whole)) == [(("accounts", "app", "password"), PASSWORD)]


def test_certificates_come_with_where_they_are_shown():
    whole = Whole(listen=(Door(unix=Path("x")), Door(address="127.0.0.1", port=1, tls=PAIR)))
    (found,) = certificates(whole)
    assert (found.path, found.address, found.key) == (("listen", 1, "tls"), "127.0.0.1", Path("tls.key"))


def test_what_is_shown_to_a_target_has_no_address():
    whole = Whole(tls=Believed(ca=None, certificate=Path("c"), key=Path("k")))
    assert [found.address for found in certificates(whole)] == [""]


def test_authorities_are_found_and_what_is_plain_data_is_left_alone():
    assert list(authorities(Whole(tls=Believed(ca=Path("ca.pem")), target={"ca": "x"}))) == [
        (("tls", "ca"), Path("ca.pem"))
    ]
    assert list(authorities(Whole(target=Believed(ca=Path("t.pem"))))) == [(("target", "ca"), Path("t.pem"))]
