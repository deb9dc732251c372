"""Certificates: loading, reloading, and what a channel is bound to."""

import hashlib
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from doorward_core.errors import ConfigError
from doorward_core.net.tls import NamedContext, ServerTls, aging, client_context, server_end_point


def _der(path):
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.public_bytes(serialization.Encoding.DER)


def test_a_reload_takes_the_new_certificate(tmp_path, new_certificate):
    certificate, key = new_certificate("one")
    tls = ServerTls(certificate, key)
    before = tls.context
    other = new_certificate("two")
    certificate.write_bytes(other[0].read_bytes())
    key.write_bytes(other[1].read_bytes())
    tls.reload()
    assert tls.context is not before


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"])
def test_a_reload_that_fails_keeps_what_is_in_force(content, new_certificate):
    certificate, key = new_certificate("one")
    tls = ServerTls(certificate, key)
    before = tls.context
    certificate.write_bytes(content)
    with pytest.raises(ConfigError, match=r"one\.crt: tls: cannot be used: there is no certificate in it"):
        tls.reload()
    assert tls.context is before


def test_a_key_of_another_certificate_is_refused(new_certificate):
    words = r"two\.key: tls: cannot be used: it is not the key of the certificate in .*one\.crt"
    with pytest.raises(ConfigError, match=words):
        ServerTls(new_certificate("one")[0], new_certificate("two")[1])


def test_a_file_that_cannot_be_read_is_named(tmp_path, new_certificate):
    certificate, key = new_certificate("one")
    with pytest.raises(ConfigError, match=r"gone\.crt: tls: cannot be read: No such file"):
        ServerTls(tmp_path / "gone.crt", key)
    with pytest.raises(ConfigError, match=r"tls: cannot be read: Is a directory"):
        ServerTls(certificate, tmp_path)


def test_files_that_were_exchanged_are_named_by_what_they_lack(new_certificate):
    certificate, key = new_certificate("one")
    with pytest.raises(ConfigError, match=r"one\.key: tls: cannot be used: there is no certificate in it"):
        ServerTls(key, certificate)
    with pytest.raises(ConfigError, match=r"one\.crt: tls: cannot be used: there is no private key in it"):
        ServerTls(certificate, certificate)


def test_authorities_without_a_certificate_are_told_so(tmp_path, new_certificate):
    _, key = new_certificate("one")
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for path in (key, empty):
        with pytest.raises(
            ConfigError, match=f"{path.name}: tls: the authorities cannot be read: there is no certificate"
        ):
            client_context(path)


def test_how_long_a_certificate_is_good_is_told_beside_its_name(new_certificate):
    certificate, _ = new_certificate("one")
    ends = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    end_ns = int(ends.timestamp()) * 1_000_000_000
    assert aging(certificate, end_ns - 100 * 86_400 * 1_000_000_000, "gateway.test") == ()
    (ended,) = aging(certificate, end_ns + 1_000_000_000)
    assert ended.startswith(f"{certificate}: the certificate ended on ")
    (other,) = aging(certificate, end_ns - 100 * 86_400 * 1_000_000_000, "other.test")
    assert "clients that reach it as other.test" in other
    assert aging(certificate.with_name("gone"), end_ns) == ()


def test_a_key_with_a_pass_phrase_does_not_ask_at_the_terminal(tmp_path, new_certificate):
    certificate, _ = new_certificate("one")
    sealed = tmp_path / "sealed.key"
    sealed.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"phrase"),
        )
    )
    with pytest.raises(ConfigError, match=r"sealed\.key: tls: cannot be used: it has a pass phrase"):
        ServerTls(certificate, sealed)


def test_authorities_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        client_context(tmp_path / "absent")


def test_a_channel_is_bound_to_the_hash_of_the_certificate(new_certificate):
    der = _der(new_certificate("one")[0])
    assert server_end_point(der) == hashlib.sha256(der).digest()


def test_a_certificate_without_a_hash_binds_nothing(new_certificate):
    assert server_end_point(_der(new_certificate("ed", key=ed25519.Ed25519PrivateKey.generate())[0])) is None
    assert server_end_point(b"no certificate") is None


@pytest.mark.parametrize(("name", "expected"), [("db.internal", "db.internal"), ("", "10.0.0.7")])
def test_a_name_of_ones_own_stands_for_the_address_that_is_dialled(monkeypatch, name, expected):
    context = client_context()
    seen = []
    monkeypatch.setattr(
        ssl.SSLContext, "wrap_socket", lambda _self, _sock, *, server_hostname: seen.append(server_hostname)
    )
    with socket.socket() as sock:
        NamedContext(context, name).wrap_socket(sock, server_hostname="10.0.0.7")
    assert seen == [expected]
