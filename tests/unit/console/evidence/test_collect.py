import json

import pyrage
import pytest
from evidence_stand import HOSTILE, LOG, NOW, Stand, bundle, entries_of, ident, records, said, story, unpacked

from doorward_console.evidence import collect
from doorward_core.errors import RecordError
from doorward_core.record.encode import decode
from doorward_core.record.proof import bundle as split


def test_the_whole_log_is_one_run_without_hashes_of_anything_else(told, made):
    about = json.loads(unpacked(made)["logs/gateway.example~2fa/log.json"])
    assert (about["runs"], about["gaps"], about["period"]) == ([[0, 28]], [], [0, 28])


def test_a_period_within_brings_its_neighbours_and_its_context(stand, tmp_path):
    current = stand.policy()
    session = stand.session(1, "crew-1")
    opened = stand.places["session.opened"]
    for number in range(300):
        stand.operation(session, "crew-1", number)
    begin = stand.wait(10)
    first = stand.engine.size
    for number in range(5):
        stand.operation(session, "crew-1", number)
    end = stand.wait(10)
    last = stand.engine.size - 1
    for number in range(300):
        stand.operation(session, "crew-1", number)
    stand.close()
    made = bundle(stand, tmp_path / "e.zip", begin, end, vkeys=(stand.vkey,))
    about = json.loads(unpacked(tmp_path / "e.zip")["logs/gateway.example~2fa/log.json"])
    assert about["runs"] == [[0, opened + 1], [first - 1, last + 2]]
    assert current == 1
    assert made.entries == 5
    status, words = said(tmp_path / "e.zip", "--key", stand.vkey)
    assert (status, words.count("NOTE"), "NOTE    report.html: its words" in words) == (0, 1, True), words


@pytest.mark.parametrize(("begin", "end"), [(0, 1), (NOW + 10**15, NOW + 10**16), (NOW, NOW + 1)])
def test_a_period_with_nothing_or_little_in_it_is_proved_to_be_so(told, tmp_path, begin, end):
    bundle(told, tmp_path / "e.zip", begin, end)
    status, words = said(tmp_path / "e.zip", "--key", told.vkey)
    assert status == 0, words


def test_out_of_scope_the_headers_are_there_and_the_contents_are_not(told, tmp_path):
    made = bundle(told, tmp_path / "e.zip", resources=("ledger",))
    whole = b"".join(data for name, data in unpacked(tmp_path / "e.zip").items() if name != "verify.py")
    assert HOSTILE.encode() not in whole
    assert b"DROP TABLE x" in whole
    assert made.logs[0].withheld > 10
    status, words = said(tmp_path / "e.zip", "--key", told.vkey)
    assert status == 0, words
    assert "stated, not proved" in words


def test_a_sealed_log_withholds_no_entry_and_reveals_what_is_in_scope(tmp_path):
    identity = pyrage.x25519.Identity.generate()
    stand = story(Stand(tmp_path / "s", recipients=(str(identity.to_public()),))).close()
    made = bundle(stand, tmp_path / "e.zip", subjects=("maria",), identities=(identity,))
    members = unpacked(tmp_path / "e.zip")
    revealed = b"".join(data for name, data in members.items() if "/revealed/" in name)
    assert HOSTILE.encode() in revealed
    assert b"DROP TABLE x" not in revealed
    assert made.logs[0].withheld == 0
    status, words = said(tmp_path / "e.zip", "--key", stand.vkey)
    assert status == 0, words
    assert not any(str(identity).encode() in data for data in members.values())


def test_a_sealed_log_without_a_key_is_proved_and_not_read(tmp_path):
    identity = pyrage.x25519.Identity.generate()
    stand = story(Stand(tmp_path / "s", recipients=(str(identity.to_public()),))).close()
    made = bundle(stand, tmp_path / "e.zip")
    assert made.figures["content.sealed"] > 10
    assert made.recordings == 0
    status, words = said(tmp_path / "e.zip", "--key", stand.vkey)
    assert status == 0, words
    assert "stay sealed" in unpacked(tmp_path / "e.zip")["report.html"].decode()


def test_keys_that_are_gone_without_an_erasure_are_said_to_be(tmp_path):
    identity = pyrage.x25519.Identity.generate()
    stand = story(Stand(tmp_path / "s", recipients=(str(identity.to_public()),))).close()
    for path in stand.settings.keys.iterdir():
        path.unlink()
    made = bundle(stand, tmp_path / "e.zip", identities=(identity,))
    assert made.logs[0].gone == made.logs[0].unerased > 10
    assert "the period has no erasure of them on record" in unpacked(tmp_path / "e.zip")["report.html"].decode()
    assert said(tmp_path / "e.zip", "--key", stand.vkey)[0] == 0


def test_an_erasure_on_record_is_told_from_keys_that_were_taken_away(tmp_path):
    identity = pyrage.x25519.Identity.generate()
    stand = story(Stand(tmp_path / "s", recipients=(str(identity.to_public()),)))
    erased = ident(1)
    head = {"what": [erased.hex()], "erasure": "e", "selector": "session", "gateway_keys": []}
    stand.add("content.erased", head, {"reason": "asked for"})
    stand.close()
    for path in stand.settings.keys.glob(f"{erased.hex()}.*"):
        path.unlink()
    made = bundle(stand, tmp_path / "e.zip", identities=(identity,))
    assert (made.logs[0].gone > 3, made.logs[0].unerased) == (True, 0)


def test_events_in_parts_are_whole_in_every_form(tmp_path):
    identity = pyrage.x25519.Identity.generate()
    for name, recipients in (("clear", ()), ("sealed", (str(identity.to_public()),))):
        stand = Stand(tmp_path / name, recipients=recipients)
        stand.policy("x" * 120_000)
        begin = stand.wait(1)
        session = stand.session(1, "anna", "ledger")
        stand.operation(session, "anna", 1, "y" * 120_000, "ledger")
        stand.close()
        for scope in ((), ("shop",)):
            path = tmp_path / f"{name}{len(scope)}.zip"
            bundle(stand, path, begin, resources=scope, identities=(identity,))
            status, words = said(path, "--key", stand.vkey)
            assert status == 0, words
            texts = [data for member, data in unpacked(path).items() if member.startswith("policies/")]
            assert b"x" * 120_000 in texts


def test_entries_are_cut_into_members_of_bounded_size(told, tmp_path, monkeypatch):
    monkeypatch.setattr(collect, "FILE_BYTES", 1000)
    bundle(told, tmp_path / "e.zip")
    files = [data for name, data in sorted(unpacked(tmp_path / "e.zip").items()) if "/entries/" in name]
    assert len(files) > 5
    assert [decode(data)["index"] for file in files for data in records(file)] == list(range(28))
    assert said(tmp_path / "e.zip", "--key", told.vkey)[0] == 0


def test_a_log_that_is_not_what_its_checkpoint_says_makes_no_bundle(told, tmp_path):
    path = told.folder / "tile" / "entries" / "000.p" / "28"
    data = path.read_bytes()
    place = data.index(b"psql 15")
    path.write_bytes(data[:place] + b"psql 16" + data[place + 7 :])
    assert len(split(path.read_bytes())) == 28
    with pytest.raises(RecordError, match="verify"):
        bundle(told, tmp_path / "e.zip")
    assert not (tmp_path / "e.zip").exists()


def _ran(stand, session, request):
    stand.operation(session, "crew-1", 900, resource="shop", verb="DELETE", action="write", request=request)


@pytest.mark.parametrize("sealed", [False, True])
def test_what_was_granted_before_the_period_comes_in_with_its_votes_and_is_not_counted(tmp_path, sealed):
    """A grant that lasts is used in a later period than the one in which it was given."""
    recipients = (str(pyrage.x25519.Identity.generate().to_public()),) if sealed else ()
    stand = Stand(tmp_path / "granted", recipients=recipients)
    session = stand.session(1, "crew-1")
    stand.approval(session, ident(1), "crew-1", approver="anna", request="req-used")
    stand.approval(session, ident(2), "crew-1", approver="bert", request="req-idle")
    stand.add("break-glass.opened", {"request": "bg-1", "subject": "crew-1", "resource": "shop"}, {"reason": "fire"})
    for _ in range(600):
        stand.add("gateway.error", {"what": "long ago"})
    begin = stand.wait(100)
    _ran(stand, session, "req-used")
    _ran(stand, session, "bg-1")
    _ran(stand, session, "req-never")
    stand.close()
    for scope in ({}, {"resources": ("shop",)}, {"subjects": ("crew-1",)}):
        made = bundle(stand, tmp_path / "b.zip", begin, vkeys=(stand.vkey,), **scope)
        figures = made.figures
        assert (figures["approvals.ran"], figures["approvals.ungranted"], figures["approvals.granted"]) == (3, 1, 0)
        status, words = said(tmp_path / "b.zip", "--key", stand.vkey)
        assert status == 0, words
        members = unpacked(tmp_path / "b.zip")
        runs = json.loads(members[f"{LOG}/log.json"])["runs"]
        there = {index for start, end in runs for index in range(start, end)}
        kinds = (
            [decode(entry)["kind"] for entry in entries_of(members)]
            if sealed
            else ["approval.granted", "approval.voted"]
        )
        assert kinds.count("approval.granted") == kinds.count("approval.voted") == 1
        assert len(there) < 20
        assert "anna" in members["report.html"].decode()
