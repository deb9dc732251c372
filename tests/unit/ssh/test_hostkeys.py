"""The gateway's own host key."""

import stat

import asyncssh
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.errors import ConfigError
from doorward_core.identity.ssh_keys import Authorities, public_line
from doorward_ssh import hostkeys


@pytest.fixture
def authorities():
    return Authorities(*(Ed25519PrivateKey.generate() for _ in range(3)))


def load(folder, authorities):
    return hostkeys.load(folder, authorities, ("gateway.example", "192.0.2.1"), "gateway.example")


def test_it_is_made_once_and_others_cannot_read_it(tmp_path, authorities):
    first = load(tmp_path, authorities)
    assert load(tmp_path, authorities).line == first.line
    assert stat.S_IMODE((tmp_path / hostkeys.FILE).stat().st_mode) == 0o600


def test_its_certificate_is_the_host_authority_s_for_the_names_that_clients_use(tmp_path, authorities):
    key, certificate = load(tmp_path, authorities).pair()
    certificate.validate(asyncssh.public_key.CERT_TYPE_HOST, "gateway.example")
    assert certificate.principals == ["gateway.example", "192.0.2.1"]
    assert certificate.signing_key == asyncssh.import_public_key(public_line(authorities.host.public_key()))
    assert certificate.key == key.convert_to_public()


def test_one_that_others_can_read_is_not_used(tmp_path, authorities):
    load(tmp_path, authorities)
    (tmp_path / hostkeys.FILE).chmod(0o640)
    with pytest.raises(ConfigError, match="others can read it"):
        load(tmp_path, authorities)


def test_one_that_was_changed_is_not_used(tmp_path, authorities):
    (tmp_path / hostkeys.FILE).write_bytes(b"no key")
    (tmp_path / hostkeys.FILE).chmod(0o600)
    with pytest.raises(ConfigError):
        load(tmp_path, authorities)
