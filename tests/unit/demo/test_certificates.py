import ssl
import stat

import pytest

from doorward_demo.certificates import write_certificates


def handshake(folder, name):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.crt", folder / "server.key")
    client = ssl.create_default_context(cafile=folder / "ca.crt")
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(down, up, server_hostname=name), server.wrap_bio(up, down, server_side=True)]
    while sides:
        for side in list(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)


def test_a_strict_client_takes_the_certificate_for_this_machine(tmp_path):
    write_certificates(tmp_path)
    for name in ("localhost", "127.0.0.1"):
        handshake(tmp_path, name)


def test_a_client_that_wants_another_name_does_not_take_it(tmp_path):
    write_certificates(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"example\.org"):
        handshake(tmp_path, "example.org")


def test_the_key_is_its_owners_alone_and_the_authority_keeps_none(tmp_path):
    write_certificates(tmp_path)
    assert stat.S_IMODE((tmp_path / "server.key").stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"ca.crt", "server.crt", "server.key"}
