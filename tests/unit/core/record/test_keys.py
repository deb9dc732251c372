"""Sealing: who can read, who cannot, and what erasure leaves; and the file of the signing key."""

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from doorward_core.errors import RecordError
from doorward_core.record.keys import parse_identities, signing_key
from doorward_core.record.reader import Content, LogReader
from doorward_core.record.verify import verify

ALICE, BOB = bytes([1]) * 16, bytes([2]) * 16


@pytest.fixture
def auditor():
    return pyrage.x25519.Identity.generate()


@pytest.fixture
def sealed(workshop, auditor):
    engine = workshop.open(recipients=(str(auditor.to_public()),))
    for session in (ALICE, BOB, bytes(16)):
        workshop.add(engine, 3, payload={"text": "SELECT canary"}, session=session if any(session) else b"")
    engine.close(workshop.now)
    return workshop


def read(workshop, *identities):
    reader = LogReader(workshop.folder, identities, keys_folder=workshop.root / "keys" / "payload")
    return [entry for entry in reader.entries() if entry.kind == "operation.decided"]


def test_the_auditor_reads_and_nobody_else(sealed, auditor):
    assert {(entry.content, entry.payload["text"]) for entry in read(sealed, auditor)} == {
        (Content.OPENED, "SELECT canary")
    }
    assert {(entry.content, entry.payload) for entry in read(sealed)} == {(Content.SEALED, None)}
    with pytest.raises(RecordError, match="not for this identity"):
        read(sealed, pyrage.x25519.Identity.generate())


def test_no_file_holds_a_sealed_value(sealed):
    for path in sealed.root.rglob("*"):
        if path.is_file():
            assert b"canary" not in path.read_bytes()


def test_erasing_a_session_leaves_every_proof(sealed, auditor):
    folder = sealed.root / "keys" / "payload"
    assert len(list(folder.iterdir())) == 3
    for path in folder.glob(f"{ALICE.hex()}.*"):
        path.unlink()
    got = {(entry.session_id, entry.content) for entry in read(sealed, auditor)}
    assert got == {(ALICE, Content.ERASED), (BOB, Content.OPENED), (b"", Content.OPENED)}
    report = verify(sealed.folder, public_key=sealed.vkey)
    assert report.ok
    assert report.checks["sealed"] == 9


def test_a_payload_key_is_never_used_by_a_second_run(sealed, auditor):
    engine = sealed.open(recipients=(str(auditor.to_public()),))
    sealed.add(engine, payload={"text": "SELECT canary"}, session=BOB)
    engine.close(sealed.now)
    assert len(list((sealed.root / "keys" / "payload").glob(f"{BOB.hex()}.*"))) == 2
    assert len(read(sealed, auditor)) == 10


def test_a_closed_session_s_key_leaves_memory(workshop, auditor):
    engine = workshop.open(recipients=(str(auditor.to_public()),))
    workshop.add(engine, payload={"x": 1}, session=ALICE)
    workshop.add(engine, kind="session.closed", session=ALICE)
    assert ALICE not in engine._ring._keys
    engine.release()


def test_key_files_are_for_their_owner_alone(sealed):
    for path in (sealed.root / "keys" / "payload").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.name.count(".") == 2


def test_an_ssh_key_can_be_a_recipient(workshop):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - here alone
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - here alone
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    workshop.fill(2, recipients=(public,))
    assert {entry.content for entry in read(workshop, pyrage.ssh.Identity.from_buffer(private))} == {Content.OPENED}


def test_an_auditors_identity_file_is_read_with_its_comments():
    made = pyrage.x25519.Identity.generate()
    (found,) = parse_identities(f"# created by age-keygen\n# public key: {made.to_public()}\n{made}\n")
    assert str(found) == str(made)


@pytest.mark.parametrize(
    "text", ["", "# nothing", "AGE-SECRET-KEY-1NOTONE", "-----BEGIN OPENSSH " + "PRIVATE KEY-----"]
)
def test_what_is_no_identity_is_refused_and_not_quoted(text):
    with pytest.raises(RecordError) as refused:
        parse_identities(text)
    assert "AGE-SECRET" not in str(refused.value)


def pem(key, encoding=Encoding.PEM, form=PrivateFormat.PKCS8, encryption=None):
    return key.private_bytes(encoding, form, encryption or NoEncryption())


def test_a_signing_key_that_was_made_here_is_read_by_others_and_here(tmp_path):
    path = tmp_path / "signing.pem"
    made, vkey = signing_key(path, "gw.test")
    assert load_pem_private_key(path.read_bytes(), None).private_bytes_raw() == made.private_bytes_raw()
    assert path.read_bytes() == pem(made)
    again, same = signing_key(path, "gw.test")
    assert (again.private_bytes_raw(), same) == (made.private_bytes_raw(), vkey)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\n\n"])
def test_a_signing_key_that_others_made_is_read(tmp_path, ends):
    key = Ed25519PrivateKey.generate()
    path = tmp_path / "signing.pem"
    path.touch(0o600)
    path.write_bytes(ends.join(pem(key).decode().splitlines()).encode() + ends.encode())
    assert signing_key(path, "gw.test")[0].private_bytes_raw() == key.private_bytes_raw()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff", b"nonsense", pem(generate_private_key(SECP256R1())), pem(Ed25519PrivateKey.generate())[:-30],
        pem(Ed25519PrivateKey.generate(), Encoding.DER), pem(Ed25519PrivateKey.generate()) * 2,
        pem(Ed25519PrivateKey.generate(), form=PrivateFormat.OpenSSH),
        pem(Ed25519PrivateKey.generate(), encryption=BestAvailableEncryption(b"secret")),
    ],
    ids=["empty", "not text", "nonsense", "another kind", "cut", "DER", "two", "OpenSSH", "encrypted"],
)  # fmt: skip
def test_what_is_no_signing_key_is_refused_and_not_quoted(tmp_path, content):
    path = tmp_path / "signing.pem"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"signing\.pem is not an Ed25519 key") as refused:
        signing_key(path, "gw.test")
    assert len(str(refused.value)) < 120
