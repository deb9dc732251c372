"""The files of payload keys: which go, what is owed while they do, and whose sessions a log tells of."""

import json
import subprocess
import sys

import pytest

from doorward_core.errors import RecordError
from doorward_core.record import erasure
from doorward_core.record.erasure import Erasure, Opened
from doorward_core.record.reader import LogReader

A, B = "aa" * 16, "bb" * 16


@pytest.fixture
def keys(tmp_path):
    folder = tmp_path / "keys/payload"
    folder.mkdir(parents=True)
    for name in (f"{A}.{'01' * 16}", f"{A}.{'02' * 16}", f"{B}.{'03' * 16}", f"gateway.{'04' * 16}"):
        (folder / f"{name}.age").write_bytes(b"wrapped")
    (folder / f"{A}.{'05' * 16}.age.tmp").write_bytes(b"wrapped")
    (folder / "README").write_bytes(b"not a key")
    return folder


def one(**given):
    return Erasure(
        **{
            "id": "e1",
            "selector": "session",
            "sessions": (A,),
            "keys": (),
            "reason": "asked",
            "subject": "",
            "issuer": "",
            **given,
        }
    )


def test_files_are_known_by_whose_they_are(keys):
    assert {owner: len(paths) for owner, paths in erasure.owners(keys).items()} == {A: 2, B: 1, "gateway": 1}
    assert erasure.owners(keys / "none") == {}


def test_all_files_of_a_session_go_with_their_drafts_and_no_other(keys):
    assert erasure.delete_keys(keys, [A], ()) == 2
    assert sorted(path.name[:2] for path in keys.iterdir()) == ["RE", "bb", "ga"]
    assert erasure.delete_keys(keys, [A], ()) == 0
    assert erasure.delete_keys(keys, [], ["04" * 16]) == 1


def test_what_is_owed_survives_until_it_is_settled(keys):
    assert erasure.owed(keys) == ()
    erasure.owe(keys, one())
    assert erasure.owed(keys) == (one(),)
    erasure.settle(keys, one())
    assert erasure.owed(keys) == ()


def test_a_debt_that_cannot_be_read_is_not_passed_over(keys):
    erasure.owe(keys, one())
    (keys.parent / "erasures/e1.json").write_text("{")
    with pytest.raises(RecordError, match="does not say of what"):
        erasure.owed(keys)


def test_a_log_is_looked_through_beside_the_gateway(workshop):
    engine = workshop.open()
    head = {"subject": "crew-7", "issuer": "https://id.example", "sponsor": "sam@example.com", "resource": "shop"}
    workshop.add(engine, 300)
    workshop.add(engine, 1, kind="session.opened", head=head, session=bytes.fromhex(A))
    engine.close(workshop.now)
    assert [item.session for item in erasure.opened(LogReader(workshop.folder))] == [A]
    command = [sys.executable, "-m", "doorward_core.record.erasure", str(workshop.folder)]
    lines = [json.loads(line) for line in subprocess.run(command, check=True, capture_output=True).stdout.splitlines()]
    assert Opened(**lines[0]).sponsor == "sam@example.com"
    assert lines[1:] == [{"first": 0}]
    done = subprocess.run([*command[:-1], str(workshop.root / "none")], check=False, capture_output=True)
    assert (done.returncode, "there is no log" in done.stdout.decode()) == (1, True)
