"""What a desk is told of a gateway comes from the gateway's own configuration: names, places, people."""

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from doorward_console.init_desk_gateways import read_all
from doorward_console.init_doors import CannotInit
from doorward_core.record.cosign import witness_vkey

ISSUER = "https://idp.example"


@pytest.fixture
def made(run, tmp_path):
    """A gateway that `doorward init http` made."""

    def make(name="crm", **replaced):
        folder = tmp_path / name
        done = run(
            "init", "http", "--target", "http://127.0.0.1:9", "--resource", name, "--issuer", ISSUER, "--yes",
            "--folder", folder, "--approvals", "127.0.0.1:9470",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        config = folder / "doorward.yaml"
        text = config.read_text()
        for was, becomes in replaced.values():
            assert was in text
            text = text.replace(was, becomes)
        config.write_text(text)
        return folder

    return make


def certificate(folder, *names, issued=True):
    """Put a certificate for these names, of an authority's or self-signed, in place of the gateway's."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]) if issued else subject
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    if names:
        known = [
            x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(known), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (folder / "tls/gateway.crt").write_bytes(pem)


def test_a_folder_says_everything(made):
    folder = made()
    (one,) = read_all([str(folder)], None)
    assert (one.name, one.control) == ("crm", "https://localhost:9470")
    assert one.authority == folder / "tls/gateway.crt"
    assert (one.log, one.vkey) == (folder / "state/log", folder / "state/keys/log.vkey")
    assert (one.keys, one.config) == (folder / "state/keys/payload", folder / "doorward.yaml")
    assert [item.issuer for item in one.issuers] == [ISSUER]
    assert (one.approvers, one.link, one.passkeys) == (frozenset({"api-owners"}), False, False)


def test_a_name_can_be_said_and_a_configuration_be_named(made):
    folder = made()
    (one,) = read_all([f"customers={folder / 'doorward.yaml'}"], None)
    assert (one.name, one.config) == ("customers", folder / "doorward.yaml")


def test_what_is_configured_already_is_seen(made):
    link = ("approvals:\n", 'approvals:\n  link: "https://desk.example/approvals/{id}"\n')
    (one,) = read_all([str(made(link=link))], None)
    assert one.link


@pytest.mark.parametrize(
    ("address", "names", "control"),
    [
        ("127.0.0.1", ("localhost",), "https://localhost:9470"),
        ("127.0.0.1", ("127.0.0.1",), "https://127.0.0.1:9470"),
        ("0.0.0.0", ("*.example", "gw.example"), "https://gw.example:9470"),
        ("10.0.0.7", ("gw.example", "10.0.0.7"), "https://10.0.0.7:9470"),
        ("10.0.0.7", ("gw.example",), "https://gw.example:9470"),
        ("10.0.0.7", (), "https://10.0.0.7:9470"),
        ("0.0.0.0", (), "https://localhost:9470"),
    ],
)
def test_the_desk_dials_a_name_that_the_certificate_is_for(made, address, names, control):
    folder = made(address=('address: "127.0.0.1", port: 9470', f'address: "{address}", port: 9470'))
    certificate(folder, *names)
    (one,) = read_all([str(folder)], None)
    assert (one.control, one.authority) == (control, None)


def test_an_authority_can_be_named(made, tmp_path):
    (one,) = read_all([str(made())], tmp_path / "ca.pem")
    assert one.authority == tmp_path / "ca.pem"


def test_a_socket_needs_no_name_and_no_authority(made):
    text = 'listen: {address: "127.0.0.1", port: 9470, tls: {certificate: "tls/gateway.crt", key: "tls/gateway.key"}}'
    folder = made(listen=(text, "listen: {unix: state/control}"))
    (one,) = read_all([str(folder)], None)
    assert (one.control, one.authority) == (f"unix:{folder / 'state/control'}", None)


def test_what_cannot_be_read_is_told(made, tmp_path):
    with pytest.raises(CannotInit, match="there is no"):
        read_all([str(tmp_path / "nowhere")], None)
    folder = made()
    with pytest.raises(CannotInit, match="would be called crm"):
        read_all([str(folder), str(folder)], None)
    (folder / "tls/gateway.crt").write_text("no certificate")
    with pytest.raises(CannotInit, match="no certificate"):
        read_all([str(folder)], None)
    (folder / "doorward.yaml").write_text("version: 2\n")
    with pytest.raises(CannotInit, match="version"):
        read_all([str(folder)], None)


def test_where_checkpoints_are_kept_and_who_cosigns_them_is_read_too(made):
    (one,) = read_all([str(made())], None)
    assert (one.checkpoints, one.witnesses) == (None, None)
    vkey = witness_vkey("w.example", Ed25519PrivateKey.generate())
    witnesses = f"witnesses: {{quorum: 1, list: [{{url: 'https://w.example', vkey: '{vkey}'}}]}}"
    folder = made("other", record=("record:\n", f"record:\n  mirror: second\n  {witnesses}\n"))
    (one,) = read_all([str(folder)], None)
    assert one.checkpoints == folder / "second" / "checkpoint"
    assert [item.vkey for item in one.witnesses.list] == [vkey]
