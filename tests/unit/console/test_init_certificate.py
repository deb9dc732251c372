"""The certificate for a first try: a client that is given it, and nothing else, trusts exactly this one."""

import contextlib
import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509

from doorward_console.init_certificate import LIFETIME, SKEW, names_for, self_signed

NOW = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)


def test_it_names_this_machine_and_ends():
    pem, _, ends = self_signed(("localhost", "127.0.0.1"), NOW)
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert certificate.not_valid_after_utc == ends == NOW.replace(microsecond=0) + LIFETIME
    assert certificate.not_valid_before_utc == NOW.replace(microsecond=0) - SKEW


def test_it_can_sign_nothing():
    pem, _, _ = self_signed(("localhost",))
    extensions = x509.load_pem_x509_certificate(pem).extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


@pytest.mark.parametrize("strict", [0, ssl.VERIFY_X509_STRICT])
def test_a_client_that_trusts_the_file_verifies_it(tmp_path, strict):
    pem, key, _ = self_signed(("localhost", "127.0.0.1"))
    (tmp_path / "crt").write_bytes(pem)
    (tmp_path / "key").write_bytes(key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    client = ssl.create_default_context(cafile=tmp_path / "crt")
    client.verify_flags |= strict
    a, b, c, d = (ssl.MemoryBIO() for _ in range(4))
    near, far = client.wrap_bio(a, b, server_hostname="127.0.0.1"), server.wrap_bio(c, d, server_side=True)
    for _ in range(4):
        for side in (near, far):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        c.write(b.read())
        a.write(d.read())
    assert near.getpeercert()["subjectAltName"]


def test_names_are_those_by_which_one_may_dial():
    names = names_for(("0.0.0.0", "192.0.2.7", "bücher"))
    assert names[:3] == ("localhost", "127.0.0.1", "::1")
    assert "192.0.2.7" in names
    assert not {"0.0.0.0", "bücher"} & set(names)
