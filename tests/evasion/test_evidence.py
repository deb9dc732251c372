"""The threat model, "The log", for bundles: what whoever makes, carries or keeps one may try.

Each attacker knows the format and makes the container anew, so that only proofs are in the way; verify.py must end with
status 1 and say in words what is wrong, never with a traceback.
"""

import base64
import hashlib
import io
import json
import re
import struct
import zipfile
import zlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from evidence_stand import (
    HOSTILE,
    LOG,
    NOW,
    S,
    Stand,
    bundle,
    check,
    entries_of,
    forged,
    joined,
    problems,
    said,
    sealed_again,
    signer,
    story,
    unpacked,
)

from doorward_console.evidence.container import canonical, component
from doorward_console.evidence.verify import Bundle, Refused
from doorward_core.errors import RecordError
from doorward_core.record import checkpoint, merkle
from doorward_core.record.checkpoint import make_vkey, rotation_statement
from doorward_core.record.encode import decode, encode


@pytest.fixture
def stand(tmp_path):
    return story(Stand(tmp_path / "a")).close()


@pytest.fixture
def members(stand, tmp_path):
    bundle(stand, tmp_path / "good.zip", vkeys=(stand.vkey,))
    return unpacked(tmp_path / "good.zip")


@pytest.fixture
def refused(stand, tmp_path):
    """Give verify.py a bundle of these members; it must refuse it, and its words are given."""

    def run(members, *arguments):
        path = sealed_again(members, tmp_path / "bad.zip")
        status, words = said(path, "--key", stand.vkey, *arguments)
        assert status == 1, words
        return words

    return run


def altered(data: bytes, **changes) -> bytes:
    return encode(decode(data) | changes)


def described(members, **changes):
    about = json.loads(members[f"{LOG}/log.json"]) | changes
    return members | {f"{LOG}/log.json": canonical(about)}


# --- L-01 cut at either end, or a piece removed -----------------------------------------------------------------------


@pytest.fixture
def long(tmp_path):
    """A log of three quiet stretches; the period is the middle one."""
    stand = Stand(tmp_path / "long")
    begin, end = NOW + 100 * S, NOW + 200 * S
    for _ in range(3):
        for number in range(20):
            stand.add("gateway.error", {"what": str(number)})
        stand.wait(100)
    stand.close()
    bundle(stand, tmp_path / "long.zip", begin, end)
    return stand, unpacked(tmp_path / "long.zip")


def test_l_01_the_first_or_last_entries_of_the_period_left_out(long, tmp_path):
    stand, members = long
    about = json.loads(members[f"{LOG}/log.json"])
    first, end = about["period"]
    assert (about["runs"][-1], first, end) == ([20, 42], 21, 41)
    for period in ([first + 1, end], [first, end - 1]):
        status, words = said(sealed_again(described(members, period=period), tmp_path / "b.zip"), "--key", stand.vkey)
        assert status == 1
        assert "it is of the period" in words


def test_l_01_an_entry_given_as_a_hash_instead_of_itself(long, tmp_path):
    stand, members = long
    about = json.loads(members[f"{LOG}/log.json"])
    entries = entries_of(members)
    given = [index for start, end in about["runs"] for index in range(start, end)]
    for hidden in (about["period"][0], about["period"][1] - 1, 30, about["period"][1]):
        leaf = hashlib.sha256(b"\0" + entries[given.index(hidden)]).hexdigest()
        kept = [entry for index, entry in zip(given, entries, strict=True) if index != hidden]
        runs = [[20, hidden], [hidden + 1, 42]] if hidden != 41 else [[20, 41]]
        assert about["runs"][0] == [0, 1]
        gaps = [*about["gaps"][:5], leaf, *about["gaps"][5:]]
        bad = described(members, runs=[[0, 1], *runs], gaps=gaps)
        for name in [name for name in bad if "/entries/" in name]:
            bad.pop(name)
        bad[f"{LOG}/entries/000000"] = joined(kept)
        status, words = said(sealed_again(bad, tmp_path / "b.zip"), "--key", stand.vkey)
        assert status == 1
        assert "not there without a gap, with their neighbours" in words


def test_l_01_files_of_entries_left_out_or_cut(members, refused):
    entries = entries_of(members)
    assert "entry 27 is missing" in refused(members | {f"{LOG}/entries/000001": joined(entries[:-1])})
    assert "ends inside an entry" in refused(members | {f"{LOG}/entries/000001": joined(entries)[:-5]})
    assert "more entries" in refused(members | {f"{LOG}/entries/000002": joined(entries[:1])})
    without = {name: data for name, data in members.items() if not name.endswith("/entries/000001")}
    assert "missing" in refused(without)


def test_l_01_a_log_that_was_cut_is_seen_by_whoever_kept_a_checkpoint(stand, tmp_path):
    bundle(stand, tmp_path / "short.zip")
    engine = type(stand.engine)(stand.settings)
    engine.open(stand.wait(1))
    engine.close(stand.now)
    status, words = said(tmp_path / "short.zip", "--key", stand.vkey, "--checkpoint", str(stand.folder / "checkpoint"))
    assert status == 1
    assert "entries were removed" in words


# --- L-02 a byte changed, and everything after it hashed again --------------------------------------------------------


def test_l_02_every_bit_of_every_entry_counts(tmp_path):
    """Exhaustive over a small log; every hash that needs no key is made again, so that only proofs are in the way."""
    stand = Stand(tmp_path / "small")
    session = stand.session(1, "crew-1")
    stand.operation(session, "crew-1", 1, HOSTILE)
    stand.close()
    bundle(stand, tmp_path / "e.zip", vkeys=(stand.vkey,))
    members = unpacked(tmp_path / "e.zip")
    name = f"{LOG}/entries/000001"
    data = members[name]
    assert problems(members, "--key", stand.vkey) == []
    for bit in range(len(data) * 8):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        found = problems(members | {name: bytes(bad)}, signatures=False)  # which bits of entries do not touch
        assert any(word in found[-1] + found[0] for word in ("entry ", "entries", "ends inside")), (bit, found)


@pytest.mark.parametrize("member", ["log.json", "checkpoint"])
def test_l_02_every_bit_of_the_proof_counts(members, stand, member):
    data = members[f"{LOG}/{member}"]
    for bit in range(len(data) * 8):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        try:
            same = member == "log.json" and json.loads(bad) == json.loads(data)
        except ValueError:
            continue  # no JSON, and refused as such
        bad_members = members | {f"{LOG}/{member}": bytes(bad)}
        assert same or problems(bad_members, signatures=False) or problems(bad_members, "--key", stand.vkey), bit


def test_l_11_figures_that_the_entries_do_not_give(members, refused):
    report = json.loads(members["report.json"])
    for change in (
        lambda one: one["figures"]["operations.refused"].update(count=0, entries=[], sample=[]),
        lambda one: one["figures"]["access.opened"]["sample"].reverse(),
        lambda one: one["tables"]["people"]["rows"].pop(),
        lambda one: one["logs"][0].update(whole=1),
        lambda one: one["figures"].pop("access.observe"),
        lambda one: one["policies"].pop(),
    ):
        bad = json.loads(json.dumps(report))
        change(bad)
        assert "report.json" in refused(members | {"report.json": canonical(bad)})


@pytest.mark.parametrize(
    ("approver", "own"), [("maria", 1), ("crew-1", 1), ("crew-0", 1), ("anna", 0), ("https://idp#crew-0", 0)]
)
def test_l_11_an_approval_by_the_sponsor_or_by_who_is_acted_for_is_one_s_own(tmp_path, approver, own):
    stand = Stand(tmp_path / "own")
    head = {
        "subject": "crew-1", "issuer": "https://idp", "sponsor": "maria", "act": ["https://idp#crew-0"],
        "approver": approver, "approver_issuer": "https://idp", "approver_principal": "human", "verdict": "approve",
        "counted": True, "request": "ap-1", "proof": "token",
    }  # fmt: skip
    stand.add("approval.voted", head, {"reason": "fine"})
    stand.close()
    made = bundle(stand, tmp_path / "b.zip", vkeys=(stand.vkey,))
    assert made.figures["approvals.own"] == own
    assert said(tmp_path / "b.zip", "--key", stand.vkey)[0] == 0


def test_l_11_a_page_that_shows_other_figures(members, refused):
    page = members["report.html"]
    assert b'data-figure="operations.refused">1<' in page
    bad = page.replace(b'data-figure="operations.refused">1<', b'data-figure="operations.refused">0<')
    assert "operations.refused" in refused(members | {"report.html": bad})
    assert "has no figures" in refused(members | {"report.html": b"<p>all is well"})


def test_l_02_contents_that_were_not_committed_to(members, refused):
    (policy,) = (name for name in members if name.endswith("policy.yaml"))
    assert "is not the text" in refused(members | {policy: b"version: 1\nrules: []\n"})
    assert "is missing" in refused({name: data for name, data in members.items() if name != policy})
    (cast,) = (name for name in members if name.endswith(".cast"))
    assert "is not what the chunks" in refused(members | {cast: members[cast].replace(b"red", b"rod")})
    index, body = (5).to_bytes(8, "big"), b"\x80"
    record = index + len(body).to_bytes(4, "big") + bytes(32) + body
    assert "sealed event" in refused(members | {f"{LOG}/revealed/000000": record})


def test_l_02_a_revealed_body_is_the_one_that_was_sealed(tmp_path):
    import pyrage  # noqa: PLC0415 - beside its only use

    identity = pyrage.x25519.Identity.generate()
    sealed = story(Stand(tmp_path / "s", recipients=(str(identity.to_public()),))).close()
    bundle(sealed, tmp_path / "e.zip", identities=(identity,))
    members = unpacked(tmp_path / "e.zip")
    name = f"{LOG}/revealed/000001"
    bad = members[name].replace(b"DROP TABLE x", b"SELECT 1 + 1")
    assert bad != members[name]
    status, words = said(sealed_again(members | {name: bad}, tmp_path / "b.zip"), "--key", sealed.vkey)
    assert status == 1
    assert "not the one that was committed to" in words


# --- L-03 reordered, repeated, spliced --------------------------------------------------------------------------------


def test_l_03_entries_exchanged_repeated_or_of_another_log_even_with_the_key(members, stand, refused, tmp_path):
    entries, key = entries_of(members), signer(stand)
    other = story(Stand(tmp_path / "b", "another")).close()
    foreign = other.source().entry(5)
    swapped = [*entries]
    swapped[5], swapped[6] = swapped[6], swapped[5]
    for bad in (swapped, [*entries[:6], entries[5], *entries[7:]], [*entries[:5], foreign, *entries[6:]]):
        assert "at the place of another" in refused(forged(members, bad, key))


def test_l_03_parts_of_events_that_do_not_belong_together(tmp_path):
    stand = Stand(tmp_path / "p")
    stand.policy("x" * 120_000)
    stand.policy("y" * 120_000)
    stand.close()
    bundle(stand, tmp_path / "e.zip")
    members = unpacked(tmp_path / "e.zip")
    entries, key = entries_of(members), signer(stand)
    one, two = decode(entries[2]), decode(entries[5])
    crossed = [*entries]
    crossed[2] = altered(entries[2], payload=two["payload"])
    crossed[5] = altered(entries[5], payload=one["payload"])
    for bad, words in (
        (crossed, "not the one that was committed to"),
        ([*entries[:3], altered(entries[3], at=decode(entries[3])["at"] + 1), *entries[4:]], "further part"),
        (entries[:3], "the rest of this event is missing"),
    ):
        status, text = said(sealed_again(forged(members, bad, key), tmp_path / "b.zip"), "--key", stand.vkey)
        assert status == 1
        assert words in text


# --- L-04 two auditors shown two logs ---------------------------------------------------------------------------------


def test_l_04_another_log_under_the_same_key_is_seen_beside_the_checkpoint_of_the_first(members, stand, tmp_path):
    entries = entries_of(members)
    entries[-1] = altered(entries[-1], at=decode(entries[-1])["at"] + 1)
    path = sealed_again(forged(members, entries, signer(stand)), tmp_path / "b.zip")
    status, words = said(path, "--key", stand.vkey, "--checkpoint", str(stand.folder / "checkpoint"))
    assert status == 1
    assert "two logs under one key" in words


def test_l_04_a_rewritten_log_is_no_continuation_of_an_older_checkpoint(members, stand, refused):
    entries, key = entries_of(members), signer(stand)
    older = forged(members, entries[:20], key)[f"{LOG}/checkpoint"]
    entries[3] = altered(entries[3], at=decode(entries[3])["at"] + 1)
    assert "rewritten or forked" in refused(forged(members, entries, key) | {f"{LOG}/outside": older})


def _cosigned(
    note: bytes, name: str, key: Ed25519PrivateKey, seconds: int, text: bytes | None = None
) -> tuple[bytes, str]:
    """A checkpoint with a witness's line, and the witness's vkey (C2SP tlog-cosignature)."""
    text = text if text is not None else note.partition(b"\n\n")[0] + b"\n"
    public = b"\x04" + key.public_key().public_bytes_raw()
    identifier = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    made = key.sign(b"cosignature/v1\ntime %d\n" % seconds + text)
    blob = base64.b64encode(identifier + seconds.to_bytes(8, "big") + made).decode()
    vkey = f"{name}+{identifier.hex()}+{base64.b64encode(public).decode()}"
    return note + f"\u2014 {name} {blob}\n".encode(), vkey


def test_l_04_witnesses_are_checked_and_those_that_are_asked_for_must_be_there(members, stand, refused, tmp_path):
    key = Ed25519PrivateKey.generate()
    note, vkey = _cosigned(members[f"{LOG}/checkpoint"], "witness.example", key, 1_800_000_000)
    path = sealed_again(members | {f"{LOG}/checkpoint": note}, tmp_path / "w.zip")
    status, words = said(path, "--key", stand.vkey, "--witness", vkey)
    assert status == 0, words
    assert "cosigned by the witness witness.example at 2027-01-15" in words
    assert "did not cosign" in refused(members, "--witness", vkey)
    wrong, _ = _cosigned(members[f"{LOG}/checkpoint"], "witness.example", key, 1, b"another text\n")
    assert "the cosignature of witness.example is wrong" in refused(
        members | {f"{LOG}/checkpoint": wrong}, "--witness", vkey
    )
    status, words = said(path, "--key", stand.vkey)
    assert "unknown keys: 'witness.example'" in words


# --- L-05 the clock set back ------------------------------------------------------------------------------------------


def test_l_05_times_that_go_back_are_named_and_clocks_that_did_are_counted(members, stand, refused, tmp_path):
    entries = entries_of(members)
    entries[10] = altered(entries[10], at=decode(entries[9])["at"] - 1)
    assert "entry 10: its time is before" in refused(forged(members, entries, signer(stand)))
    late = Stand(tmp_path / "late")
    late.engine.close(NOW - 5 * S)
    made = bundle(late, tmp_path / "late.zip")
    assert made.exceptions == {"record.clock": 1}
    assert said(tmp_path / "late.zip", "--key", late.vkey)[0] == 0


def test_l_05_an_entry_dated_into_or_out_of_the_period(long, tmp_path):
    stand, members = long
    for to in (NOW + 150 * S, NOW + 100 * S + 5_000_000):
        status, words = said(sealed_again(described(members, to_unix_ns=to), tmp_path / "b.zip"), "--key", stand.vkey)
        assert status == 1
        assert "period" in words


# --- L-07 the signing key stolen or exchanged -------------------------------------------------------------------------


def test_l_07_a_bundle_under_the_attacker_s_key(members, refused):
    key = Ed25519PrivateKey.generate()
    vkey = make_vkey("gateway.example/a", key.public_key().public_bytes_raw())
    entries = [altered(entry, head={}) if b"deny" in entry else entry for entry in entries_of(members)]
    bad = forged(members, entries, key)
    bad["keys/keys.json"] = canonical({"logs": [{"name": "x", "vkey": vkey, "from": "me"}], "witnesses": []})
    assert "not signed by the key" in refused(bad)


def test_l_07_a_change_of_keys_counts_if_the_old_key_signed_it(members, stand, tmp_path, refused):
    old, new = signer(stand), Ed25519PrivateKey.generate()
    vkey = make_vkey(stand.origin, new.public_key().public_bytes_raw())
    entries = entries_of(members)
    index = len(entries)
    last = decode(entries[-1])
    for who, good in ((old, True), (new, False)):
        signature = who.sign(rotation_statement(stand.origin, index, vkey))
        rotated = encode(last | {"index": index, "kind": "key.rotated", "head": {"vkey": vkey, "signature": signature}})
        bad = forged(members, [*entries, rotated], new)
        if good:
            older = bad | {f"{LOG}/outside": members[f"{LOG}/checkpoint"]}
            about = json.loads(bad[f"{LOG}/log.json"])
            proof = merkle.consistency_proof([merkle.leaf_hash(entry) for entry in [*entries, rotated]], index)
            older[f"{LOG}/log.json"] = canonical(about | {"consistency": [one.hex() for one in proof]})
            for pinned in (stand.vkey, vkey):  # the key of then, or that of now
                _, words = said(sealed_again(older, tmp_path / "b.zip"), "--key", pinned)
                assert "1 changes of keys, each signed by the key before" in words
                assert f"the older checkpoint over {index} entries" in words
        else:
            assert "not signed by the key" in refused(bad)


# --- L-08 encodings and containers that cost without end --------------------------------------------------------------

BAD_VALUES = [
    b"\xcb" + bytes(8), b"\xc1", b"\xd4\x01\x00", b"\xdf\xff\xff\xff\xff", b"\x91" * 40 + b"\x80", b"\xa1\xff",
    b"\x82\xa1b\x01\xa1a\x01", b"\x82\xa1a\x01\xa1a\x01", b"\xcc\x01", b"\xdb\xff\xff\xff\xff", b"\xd9\x01a",
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_VALUES)
def test_l_08_an_entry_in_a_second_spelling_even_with_the_key(members, stand, refused, value):
    entries = entries_of(members)
    good = encode({"what": "the target went away"})
    place = next(index for index, entry in enumerate(entries) if good in entry)
    entries[place] = entries[place].replace(good, b"\x81\xa4what" + value)
    assert f"entry {place}:" in refused(forged(members, entries, signer(stand)))


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b'{"a": 1' + b"0" * 5000 + b"}",
        b'{"a": NaN}',
        b'{"a": 1.5}',
        b"\xff",
        b"{}" * 2,
        b'{"a":1}\n',
        b"[" + b"[]," * 2_000_000,
    ],
)
@pytest.mark.parametrize("member", ["report.json", f"{LOG}/log.json", "keys/keys.json"])
def test_l_08_json_that_costs_or_reads_in_two_ways(members, refused, member, text):
    assert "PROBLEM" in refused(members | {member: text})


def _directory(data: bytes) -> tuple[int, int]:
    """(where the directory begins, where the end record does)."""
    end = data.rindex(b"PK\x05\x06")
    return struct.unpack_from("<I", data, end + 16)[0], end


def _digested(data: bytes) -> bytes:
    return data[:-64] + hashlib.sha256(data[:-64]).hexdigest().encode()


def test_l_08_every_bit_of_a_container_is_accounted_for(tmp_path):
    """Exhaustive over a small one: what is no content of a member is in one form, or the digest at the end is wrong."""
    path = sealed_again({"README.txt": b"read me " * 20, "keys/a.vkey": b"k", "verify.py": b""}, tmp_path / "b.zip")
    data = path.read_bytes()
    good = Bundle(io.BytesIO(data))
    contents = {name: good.read(name) for name in good.members}
    only_digest = 0
    for bit in range(len(data) * 8):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        try:
            found = Bundle(io.BytesIO(bytes(bad)))
            same = contents == {name: found.read(name) for name in found.members}
        except Refused:
            continue
        assert not found.intact()
        only_digest += same
    assert only_digest < 64 * 8 + 100  # the digest itself, and what pads a compressed stream to whole bytes


def test_l_11_members_twice_beside_each_other_or_behind_the_directory(members, tmp_path):
    path = sealed_again(members, tmp_path / "b.zip")
    data = path.read_bytes()
    start, end = _directory(data)
    for bad in (
        data[:start] + b"PK" + data[start:],
        b"#!/bin/sh\n" + data,
        data[:end] + data[start:end] + data[end:],
        data[:-200],
        data + b"\n",
        data[: len(data) // 2],
    ):
        path.write_bytes(_digested(bad) if len(bad) > 200 else bad)
        done = check(path)
        assert done.returncode == 1
        assert done.stdout.count("PROBLEM") >= 1
        assert not done.stderr


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "logs/x/entries/../y", "a\\b", "C:x", "extra.txt", "logs/x/tile"]
)
def test_l_08_names_that_lead_elsewhere_or_that_no_bundle_has(members, tmp_path, name):
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in sorted((members | {name: b"x"}).items()):
            archive.writestr(member, data)
        archive.comment = b"doorward-evidence@1 sha256:" + b"0" * 64
    done = check(tmp_path / "b.zip")
    assert done.returncode == 1
    assert not done.stderr


def test_l_08_a_bomb_is_measured_before_it_is_unpacked(tmp_path):
    """A member that unpacks to much more than its directory says, and one that says that it is large."""
    path = tmp_path / "b.zip"
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = bomb.compress(bytes(200 * 1024 * 1024)) + bomb.flush()
    assert len(packed) < 300_000
    name = b"manifest.json"
    for size in (100, 64 * 1024 * 1024, 200 * 1024 * 1024):
        both = struct.pack("<IIIHH", zlib.crc32(b""), len(packed), size, len(name), 0)
        local = struct.pack("<4sHHHHH", b"PK\x03\x04", 20, 0, 8, 0, 33) + both + name
        central = struct.pack("<4sHHHHHH", b"PK\x01\x02", 0x0314, 20, 0, 8, 0, 33) + both
        central += struct.pack("<HHHII", 0, 0, 0, 0x81A40000, 0) + name
        comment = b"doorward-evidence@1 sha256:"
        end = struct.pack(
            "<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local) + len(packed), len(comment) + 64
        )
        path.write_bytes(_digested(local + packed + central + end + comment + b"0" * 64))
        done = check(path)
        assert done.returncode == 1
        assert "manifest.json does not unpack" in done.stdout or "manifest.json is larger" in done.stdout
        assert not done.stderr


# --- SSH-14, AP-04 what the report shows ------------------------------------------------------------------------------


def test_ssh_14_and_what_verify_prints_is_obeyed_by_no_terminal(tmp_path):
    stand = Stand(tmp_path / "t")
    stand.add("session.opened", {"subject": "\x1b]0;x\x07\u202e", "resource": "\x9b31m"}, None, bytes(16))
    stand.close()
    bundle(stand, tmp_path / "e.zip")
    for arguments in (("--list", "access.opened"), ("--show", "0", "1"), ()):
        _, words = said(tmp_path / "e.zip", *arguments)
        assert words.replace("\n", "").isprintable()
        assert words.isascii()


def test_ap_04_a_statement_cannot_draw_on_the_report(members):
    pages = "".join(data.decode() for name, data in members.items() if name.endswith(".html"))
    assert "<script" not in pages
    assert "&lt;script&gt;" in pages
    assert "\u202e" not in pages
    assert "&lt;i&gt;by&lt;/i&gt;" in pages
    assert component("<") == "~3c"


# --- what a forger still had ------------------------------------------------------------------------------------------


def test_l_07_a_log_of_another_name_beside_the_key_that_was_given(members, tmp_path):
    """A name that reads alike, and the forger's own key: the auditor's key fits nothing, which must not end well."""
    stand = story(Stand(tmp_path / "alike", "gateway.examp1e/a")).close()
    bundle(stand, tmp_path / "alike.zip", vkeys=(stand.vkey,))
    honest = json.loads(members["keys/keys.json"])["logs"][0]["vkey"]
    status, words = said(tmp_path / "alike.zip", "--key", honest)
    assert status == 1
    assert "none of the keys given is this log's" in words


def test_l_04_a_checkpoint_that_was_kept_is_compared_wherever_the_entries_reach(long, tmp_path):
    """Whoever has the signing key rewrites the log and hands out no proof from the auditor's checkpoint on."""
    stand, members = long
    entries = entries_of(members)
    kept = tmp_path / "kept"
    about = json.loads(members[f"{LOG}/log.json"])
    whole = list(stand.source().bundle(0))
    at = 30
    kept.write_bytes(note_over(stand, whole[:at]))
    path = sealed_again(members, tmp_path / "good.zip")
    status, words = said(path, "--key", stand.vkey, "--checkpoint", str(kept))
    assert (status, "is the beginning of this log" in words) == (0, True), words
    other = [*whole[:at]]
    other[25] = altered(other[25], at=decode(other[25])["at"] + 1)
    kept.write_bytes(note_over(stand, other))
    status, words = said(path, "--key", stand.vkey, "--checkpoint", str(kept))
    assert (status, "the log was rewritten" in words) == (1, True), words
    assert about["runs"][-1] == [20, 42]
    assert len(entries) == 23


def test_l_04_a_checkpoint_that_was_kept_and_is_not_proved_is_no_success(long, tmp_path):
    stand, members = long
    kept = tmp_path / "kept"
    kept.write_bytes(note_over(stand, stand.source().bundle(0)[:10]))
    status, words = said(sealed_again(members, tmp_path / "b.zip"), "--key", stand.vkey, "--checkpoint", str(kept))
    assert status == 1
    assert "not proved to be the beginning of this log" in words


def note_over(stand, entries):
    root = merkle.root([merkle.leaf_hash(entry) for entry in entries])
    return checkpoint.sign(checkpoint.Checkpoint(stand.origin, len(entries), root), signer(stand))


def test_l_11_a_page_that_leaves_an_exception_out(members, refused):
    page = members["report.html"].decode()
    without = re.sub(r'data-figure="operations.refused">[0-9,]+<', "><", page)
    assert without != page
    assert "does not show the exception operations.refused" in refused(members | {"report.html": without.encode()})


def test_l_11_figures_are_told_without_the_page(members, stand, tmp_path):
    status, words = said(sealed_again(members, tmp_path / "b.zip"), "--key", stand.vkey, "--figures")
    assert status == 0
    assert f"{1:>12,} ! operations.refused" in words.splitlines()


def test_l_02_a_recording_whose_lines_overwrite_one_another(members, refused):
    """A carriage return that was never there hides on a screen what stood before it."""
    name = next(name for name in members if name.endswith(".cast"))
    lines = members[name].decode().splitlines()
    at = next(at for at, line in enumerate(lines) if "red" in line)
    lines[at] = lines[at].replace(" red", "\\r red")
    assert "is not what the chunks of the log hold" in refused(members | {name: "\n".join([*lines, ""]).encode()})


def test_l_07_a_file_of_keys_beside_those_that_are_named(members, refused):
    vkey = make_vkey("gateway.example/a", Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    for name in ("keys/gateway.example~2fa.vkey", "keys/also.vkey"):
        assert "is not a key that keys.json has" in refused(members | {name: f"{vkey}\n".encode()})


def test_l_07_no_bundle_is_made_under_a_key_that_did_not_sign(stand, tmp_path):
    other = make_vkey(stand.origin, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    with pytest.raises(RecordError, match="is not signed by the key"):
        bundle(stand, tmp_path / "b.zip", vkeys=(other,))
    assert not (tmp_path / "b.zip").exists()


def test_l_02_what_is_withheld_is_said_to_be_the_maker_s_word(tmp_path):
    """In a clear log a maker can state that an operation was at another resource: it counts as out of scope."""
    stand = Stand(tmp_path / "clear")
    session = stand.session(1, "crew-1")
    stand.operation(session, "crew-1", 1, verdict="deny")
    stand.close()
    bundle(stand, tmp_path / "b.zip", vkeys=(stand.vkey,), resources=("ledger",))
    status, words = said(tmp_path / "b.zip", "--key", stand.vkey)
    assert status == 0
    assert "that they are out of scope, is stated, not proved" in words


def test_l_08_a_policy_s_file_may_have_any_name(tmp_path):
    """A long path must not keep a bundle from being made, nor a name lead out of its folder."""
    stand = Stand(tmp_path / "names")
    long = "/etc/" + "d" * 300 + "/policy.yaml"
    texts = {long: "a", long.replace("d", "e", 1): "b", "../../x": "c", "\u202e\x1b]0;x\x07": "d"}
    stand.add("policy.loaded", {"policy": bytes(range(32))}, {"texts": texts})
    stand.close()
    bundle(stand, tmp_path / "b.zip", vkeys=(stand.vkey,))
    status, words = said(tmp_path / "b.zip", "--key", stand.vkey)
    assert (status, "policies: 4 texts" in words) == (0, True), words


def test_l_08_an_origin_may_be_as_long_as_it_may(tmp_path):
    stand = Stand(tmp_path / "origin", "/" * 128)
    stand.terminal(1, "berta", (b"x",))
    stand.close()
    bundle(stand, tmp_path / "b.zip", vkeys=(stand.vkey,))
    status, words = said(tmp_path / "b.zip", "--key", stand.vkey)
    assert (status, "recordings: 1" in words) == (0, True), words


def _report(members, change):
    report = json.loads(members["report.json"])
    change(report)
    return members | {"report.json": canonical(report)}


def test_l_11_a_report_whose_sections_leave_exceptions_out(members, refused):
    def none(report):
        report["controls"] = []

    def emptied(report):
        for one in report["controls"]:
            one["exceptions"] = []

    def other(report):
        report["controls"][3]["figures"] = ["nothing.such"]

    assert "its sections are not those of this format" in refused(_report(members, none))
    assert "no section has the exception operations.refused, which is 1" in refused(_report(members, emptied))
    assert "the section A.5.3 names a figure that is none" in refused(_report(members, other))


def test_l_11_numbers_that_only_python_takes_for_the_same(members, refused):
    def true(report):
        report["figures"]["operations.refused"]["count"] = True

    assert "operations.refused is not what the entries say" in refused(_report(members, true))


def test_l_11_policies_that_are_said_to_be_others(members, refused):
    for change in ({"digest": "00" * 32}, {"index": 3}, {"log": 7}):

        def other(report, change=change):
            report["policies"][0] |= change

        assert "was not loaded by the event that it names" in refused(_report(members, other))
    assert "a policy that is none" in refused(_report(members, lambda report: report["policies"][0].pop("index")))


def test_l_11_a_page_whose_tables_name_others_or_count_otherwise(members, refused):
    page = members["report.html"].decode()
    for found, other, words in (
        ("<td>crew-1</td>", "<td>maria</td>", "the table 'people' is not what"),
        (r'(data-table="people">.*?#e-0-4">)4<', r"\g<1>1<", "the table 'people' is not what"),
        (r'(data-table="people">.*?<tbody>).*?</tbody>', r"\1</tbody>", "the table 'people' is not what"),
        ('data-table="people"', 'class="people"', "does not show the table people"),
        ('data-table="people"', 'data-table="persons"', "the table 'persons' is not what"),
    ):
        changed = re.sub(found, other, page, flags=re.DOTALL)
        assert changed != page
        assert words in refused(members | {"report.html": changed.encode()})


def test_l_04_a_log_whose_checkpoint_was_kept_cannot_be_left_out(members, refused, tmp_path):
    other = story(Stand(tmp_path / "other", "gateway.example/b")).close()
    kept = str(other.folder / "checkpoint")
    assert "no log here is of gateway.example/b, whose checkpoint was given" in refused(members, "--checkpoint", kept)


def test_l_04_the_log_is_no_witness_of_itself(members, stand, refused):
    assert "is not one of a witness" in refused(members, "--witness", stand.vkey)
    stated = json.loads(members["keys/keys.json"])
    stated["witnesses"] = [{"name": "w", "vkey": stand.vkey, "from": "the witness"}]
    assert "is not one of a witness" in refused(members | {"keys/keys.json": canonical(stated)})


def test_l_05_a_witness_that_signed_before_what_it_signed_is_said(members, stand, tmp_path):
    witness = Ed25519PrivateKey.generate()
    note, vkey = _cosigned(members[f"{LOG}/checkpoint"], "witness.example", witness, NOW // S - 3600)
    status, words = said(sealed_again(members | {f"{LOG}/checkpoint": note}, tmp_path / "w.zip"), "--witness", vkey)
    assert status == 0
    assert "the gateway's clock and the witness's do not agree" in words


def test_l_09_content_that_is_said_to_be_erased_and_can_be_read_is_said(tmp_path):
    stand = Stand(tmp_path / "erased")
    session = stand.session(1, "crew-1")
    what = {"what": [session.hex()], "erasure": "e", "selector": "session", "gateway_keys": []}
    place = stand.add("content.erased", what, {"reason": "asked for"})
    stand.close()
    bundle(stand, tmp_path / "b.zip", vkeys=(stand.vkey,))
    status, words = said(tmp_path / "b.zip", "--key", stand.vkey)
    assert status == 0
    assert f"entry {place} says that content was erased which can be read in this bundle" in words


def test_l_11_recordings_that_were_left_out_are_said(members, stand, tmp_path):
    kept = {name: data for name, data in members.items() if not name.startswith("recordings/")}
    kept = _report(kept, lambda report: report.update(recordings=[]))
    status, words = said(sealed_again(kept, tmp_path / "b.zip"), "--key", stand.vkey)
    assert status == 0
    assert "of 1 operations with recorded output there is none here" in words
    assert "recorded output" not in said(sealed_again(members, tmp_path / "c.zip"), "--key", stand.vkey)[1]


def test_l_11_another_verifier_in_the_bundle_is_said(members, stand, tmp_path):
    changed = members | {"verify.py": b"print('OK')\n"}
    status, words = said(sealed_again(changed, tmp_path / "b.zip"), "--key", stand.vkey)
    assert status == 0
    assert "verify.py in the bundle is another one than this" in words
    assert "is another one" not in said(sealed_again(members, tmp_path / "c.zip"), "--key", stand.vkey)[1]


def test_l_11_decisions_under_a_policy_that_is_not_on_record_are_said(tmp_path):
    stand = Stand(tmp_path / "unruled")
    stand.policy()
    session = stand.session(1, "crew-1")
    stand.operation(session, "crew-1", 1)
    stand.operation(session, "crew-1", 2, policy=bytes(32))
    stand.close()
    bundle(stand, tmp_path / "b.zip", vkeys=(stand.vkey,))
    status, words = said(tmp_path / "b.zip", "--key", stand.vkey)
    assert status == 0
    assert "1 operations were decided under a policy whose coming into force is not before them" in words


def test_l_11_two_texts_of_one_policy(tmp_path):
    stand = Stand(tmp_path / "twice")
    stand.policy("version: 1 # everybody may")
    stand.policy("version: 1 # nobody may")
    stand.close()
    bundle(stand, tmp_path / "b.zip", vkeys=(stand.vkey,))
    status, words = said(tmp_path / "b.zip", "--key", stand.vkey)
    assert status == 1
    assert "has another text under the same digest of a policy" in words


def test_l_04_what_was_kept_of_a_log_that_is_left_out_makes_no_bundle(stand, tmp_path):
    other = story(Stand(tmp_path / "other", "gateway.example/b")).close()
    note = (other.folder / "checkpoint").read_bytes()
    for what, wanted in (("key", {"vkeys": (other.vkey,)}), ("checkpoint", {"outside": (note,)})):
        with pytest.raises(RecordError, match=f"no log of gateway.example/b, whose {what} was given"):
            bundle(stand, tmp_path / "b.zip", **wanted)
