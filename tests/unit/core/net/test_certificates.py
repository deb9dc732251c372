"""What certificates say of themselves: until when they are good, and by which names clients take them."""

import datetime as dt
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from doorward_core.net import certificates

BEGIN = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
END = dt.datetime(2030, 4, 1, tzinfo=dt.UTC)
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway.example")])


def pem(*names):
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(BEGIN).not_valid_after(END)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _general(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def at(moment, content):
    return certificates.ages(content, int(moment.timestamp()) * 1_000_000_000)


def test_what_is_good_for_long_is_not_mentioned():
    assert at(BEGIN, pem()) == at(END - dt.timedelta(days=certificates.SOON_DAYS), pem()) == ()


def test_what_ends_soon_has_ended_or_has_not_begun_is_told_with_the_day():
    assert at(END - dt.timedelta(days=3), pem()) == ("ends on 2030-04-01, in 3 days",)
    assert at(END + dt.timedelta(seconds=1), pem()) == ("ended on 2030-04-01 00:00 UTC",)
    assert at(BEGIN - dt.timedelta(seconds=1), pem()) == ("is good only from 2030-01-01 00:00 UTC on",)


def test_each_certificate_of_a_chain_is_looked_at():
    assert len(at(END + dt.timedelta(days=1), pem() + pem())) == 2


def test_what_is_no_certificate_has_no_words_here():
    assert certificates.ages(b"nonsense", 0) == ()
    assert certificates.names(b"", "gateway.example") == ""


@pytest.mark.parametrize(
    ("names", "address"),
    [
        (("gateway.example",), "gateway.example"),
        (("gateway.example",), "GATEWAY.example."),
        (("*.example",), "gateway.example"),
        (("gateway.example",), "0.0.0.0"),
        (("gateway.example",), "::"),
        (("gateway.example",), "10.0.0.5"),  # a name may lead there
        (("10.0.0.5",), "10.0.0.5"),
        (("localhost",), "127.0.0.1"),
        (("::1",), "::1"),
    ],
)
def test_clients_may_take_it(names, address):
    assert certificates.names(pem(*names), address) == ""


@pytest.mark.parametrize(
    ("names", "address"),
    [
        (("gateway.example",), "other.example"),
        (("*.example",), "a.gateway.example"),
        (("*.example",), "example"),
        (("gateway.example",), "127.0.0.1"),
        (("10.0.0.6",), "10.0.0.5"),
    ],
)
def test_clients_will_not_take_it(names, address):
    said = certificates.names(pem(*names), address)
    assert said == f"is for {', '.join(names)}: clients that reach it as {address} will not take it"


def test_a_common_name_is_no_name():
    assert "names no host" in certificates.names(pem(), "gateway.example")
