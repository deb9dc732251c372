"""Who stands behind a log, by the keys in a desk's settings: what was verified, what was not, and what is forged."""

import pytest
from cosigned_log import SIGNED_S, CosignedLog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_console.settings import load_settings
from doorward_console.sources import OWN
from doorward_console.witnessed import Standing, judged, kept_checkpoint, log_vkey, witnessed
from doorward_core.record.proof import ProofError

SETTINGS = """\
version: 1
url: https://desk.example
listen: {{unix: desk.sock}}
login: {{issuer: "https://id.example", client_id: desk}}
roles: {{auditor: [auditors]}}
gateways:
  shop: {{control: "unix:control.sock", log: log{more}}}
record: {{folder: desk/log, keys: desk/keys, origin: desk.example}}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return CosignedLog(tmp_path_factory.mktemp("cosigned"))


def stands(log, quorum=2, vkeys=None, folder=None, own=""):
    """What is said of a log whose cosigned checkpoint lies in its second place."""
    note = log.cosigned.read_bytes()
    return judged(note, log.vkeys if vkeys is None else vkeys, quorum, folder or log.folder, own)


def standings(found):
    return [(one.name, one.standing) for one in found.witnesses]


def test_signatures_by_the_keys_that_are_known_are_verified_with_their_time(made):
    found = stands(made.put(made.line(0), made.line(1, time_s=SIGNED_S + 9)), own=made.vkey)
    assert [(one.name, one.standing, one.at_unix_ns // 10**9) for one in found.witnesses] == [
        ("w0.example", Standing.VERIFIED, SIGNED_S),
        ("w1.example", Standing.VERIFIED, SIGNED_S + 9),
    ]
    assert (found.size, found.quorum, found.problem) == (made.size, 2, "")


def test_a_name_without_a_key_here_is_not_verified(made):
    found = stands(made.put(made.line(0), made.line(1)), quorum=0, vkeys=())
    assert standings(found) == [("w0.example", Standing.NO_KEY), ("w1.example", Standing.NO_KEY)]
    assert (found.problem, found.verified) == ("", ())
    found = stands(made, quorum=1, vkeys=made.vkeys[:1])
    assert standings(found) == [("w0.example", Standing.VERIFIED), ("w1.example", Standing.NO_KEY)]
    assert found.problem == ""


@pytest.mark.parametrize("beside", [(), (1,), (0, 1)])
def test_a_signature_that_is_forged_is_wrong_whatever_stands_beside_it(made, beside):
    found = stands(made.put(made.forged(0), *(made.line(place) for place in beside)), quorum=1)
    assert standings(found)[0] == ("w0.example", Standing.WRONG)
    assert found.problem == "the cosignature by w0.example is wrong"


def test_another_key_under_a_witness_s_name_is_a_stranger(made):
    found = stands(made.put(made.line(0, key=Ed25519PrivateKey.generate()), made.line(1)))
    assert standings(found) == [
        ("w0.example", Standing.MISSING), ("w1.example", Standing.VERIFIED), ("w0.example", Standing.NO_KEY),
    ]  # fmt: skip
    assert found.problem == "cosigned by 1 of the 2 witnesses that are required"


def test_a_witness_that_has_not_signed_is_said_to_and_the_quorum_counts(made):
    made.put(made.line(0))
    assert standings(stands(made, 1))[1] == ("w1.example", Standing.MISSING)
    assert stands(made, 1).problem == ""
    assert "1 of the 2" in stands(made, 2).problem


def test_the_log_s_own_key_is_no_witness(made):
    own = made.own_key_as_witness()
    line = made.line(0, key=_private(made))
    found = stands(made.put(line), 1, [own], own=made.vkey)
    assert found.problem == "the key of w0.example is the log's own, and no witness's"


def _private(log):
    from doorward_core.record.keys import signing_key  # noqa: PLC0415 - beside its only use

    return signing_key(log.settings.signer, "gateway.example/a")[0]


def test_what_was_signed_must_be_this_log(made, tmp_path):
    made.put(made.line(0), made.line(1))
    fork = CosignedLog(tmp_path / "fork", words="DROP TABLE customer", keys=made.settings.signer)
    assert "are not those that they cosigned" in stands(made, folder=fork.folder).problem
    short = CosignedLog(tmp_path / "short", count=5, keys=made.settings.signer)
    assert stands(made, folder=short.folder).problem == (
        f"they have cosigned {made.size} entries, and of this log {short.size} are covered here"
    )
    other = CosignedLog(tmp_path / "other")
    (other.folder / "checkpoint").write_bytes(other.note.replace(b"gateway.example/a", b"gateway.example/b"))
    assert "is a log called gateway.example/a" in stands(made, folder=other.folder).problem
    assert stands(made, folder=tmp_path / "none").problem == "this log has no checkpoint"
    next((short.folder / "tile" / "0").rglob("*.p/*")).unlink()
    short.put(*[short.line(place) for place in range(2)])
    assert "this log's tree cannot be read" in stands(short).problem


def test_a_log_that_grew_since_is_still_the_one(tmp_path):
    log = CosignedLog(tmp_path, count=3)
    log.put(log.line(0), log.line(1))
    log.grow(700)
    assert stands(log).problem == ""


@pytest.mark.parametrize("note", [None, b"", b"no note at all", b"\xff" * 40, b"x" * 200_000])
def test_nothing_and_nonsense_are_no_witness(made, note):
    found = judged(note, made.vkeys, 2, made.folder)
    assert {one.standing for one in found.witnesses} == {Standing.MISSING}
    assert "cosigned" in found.problem
    assert judged(note, (), 0, made.folder).problem == ""


# --- where settings lead ----------------------------------------------------------------------------------------------


def settings_of(log, more=""):
    path = log.root / "desk.yaml"
    path.write_text(SETTINGS.format(more=more))
    return load_settings(path)


def trusting(log, quorum=2):
    return f", vkey: keys/log.vkey, witnesses: {{quorum: {quorum}, vkeys: {log.vkeys}}}"


def test_settings_say_where_it_lies_and_whom_to_believe(tmp_path):
    log = CosignedLog(tmp_path, count=3)
    log.put(log.line(0), log.line(1))
    kept = ", checkpoints: second/checkpoint"
    found = witnessed("shop", log.folder, settings_of(log, trusting(log) + kept))
    assert (len(found.verified), found.problem) == (2, "")
    found = witnessed("shop", log.folder, settings_of(log, kept))
    assert {one.standing for one in found.witnesses} == {Standing.NO_KEY}
    assert witnessed("shop", log.folder, settings_of(log, trusting(log))).problem == (
        "nothing that they have cosigned is seen from here"
    )
    (log.folder / "checkpoint.cosigned").write_bytes(log.cosigned.read_bytes())
    assert witnessed("shop", log.folder, settings_of(log, trusting(log))).problem == ""
    assert witnessed(OWN, log.folder, settings_of(log)).quorum == 0
    (log.root / "keys" / "log.vkey").write_text("none")
    assert "own key cannot be read" in witnessed("shop", log.folder, settings_of(log, trusting(log))).problem


def test_keys_and_kept_checkpoints_are_found_or_said_to_be_none(tmp_path):
    log = CosignedLog(tmp_path, count=3)
    settings = settings_of(log, ", vkey: keys/log.vkey, checkpoints: second/checkpoint")
    assert log_vkey("shop", settings) == log.vkey
    assert kept_checkpoint("shop", settings) == log.second / "checkpoint"
    as_text = settings_of(log, f', vkey: "{log.vkey}", checkpoints: nowhere/checkpoint')
    assert (log_vkey("shop", as_text), kept_checkpoint("shop", as_text)) == (log.vkey, None)
    assert (log_vkey("shop", settings_of(log)), log_vkey(OWN, settings), kept_checkpoint(OWN, settings)) == (
        "", "", None,
    )  # fmt: skip
    (log.root / "keys" / "log.vkey").write_text("none")
    with pytest.raises(ProofError):
        log_vkey("shop", settings)
