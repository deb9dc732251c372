"""Rows SSH-14 and L-09 for what the desk plays, and for the index that its searches ask."""

import json
import shutil

import index_stand
import pyrage
import pytest
from index_stand import NOW, NS, a_session, asked, closed, decided, finished, opened

from doorward_console.index import build
from doorward_console.index.build import Source
from doorward_console.recording import Piece, Recording
from doorward_console.replay_cast import Marker, cast

HOSTILE = (
    "\x1b]0;owned\x07", "\x1b]52;c;aGk=\x07", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "\x1b[6n", "\x1b[c", "\x1b[21t",
    "\x1bP+q544e\x1b\\", "\x9b6n", "\x9d0;x\x9c", "\u202egnp.exe", "zero\u200bwidth", "\x1b[?1000h", "\x1b]1337;File=:x\x07",
)  # fmt: skip
SECRET = "canary-4111-1111"


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("cut", [1, 3, 1000])
def test_ssh_14_the_desks_player_is_given_nothing_that_does_more_than_draw(hostile, cut):
    data = f"before {hostile} after".encode()
    recording = Recording(b"s" * 16, b"o" * 16, f"x{hostile}", f"y{hostile}", "shell", hostile, "xterm", NS)
    recording.pieces += [Piece(NS, "stdout", data[at : at + cut]) for at in range(0, len(data), cut)]
    head, *lines = [json.loads(line) for line in cast(recording, [Marker(NS, hostile)])]
    told = "".join(line[2] for line in lines) + json.dumps(head, ensure_ascii=False)
    assert "before" in told
    assert "after" in told
    assert not {char for char in told if ord(char) < 32 or "\x7f" <= char <= "\x9f" or char in "\u202e\u200b"}


def test_l_09_the_index_keeps_nothing_of_what_was_shown(tmp_path):
    session = a_session(1)
    select = asked(session, 1, "SELECT card FROM customer")
    shown = finished(session, select, shown=SECRET.encode(), shown_format="ssh.output", columns=("card",))
    log = index_stand.write(tmp_path / "log", [opened(session), decided(session, select), shown, closed(session)])
    path = tmp_path / "state" / "index.sqlite"
    build.update(path, [Source("gw", log)])
    assert SECRET.encode() in b"".join(file.read_bytes() for file in log.rglob("*") if file.is_file())
    assert SECRET.encode() not in b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("keys_are_gone", [True, False])
def test_l_09_what_was_erased_is_gone_from_the_index_with_the_next_update(tmp_path, keys_are_gone):
    identity = pyrage.x25519.Identity.generate()
    sealed = {"recipients": [str(identity.to_public())]}
    session = a_session(1)
    one = asked(session, 1, f"SELECT '{SECRET}'")
    log = index_stand.write(
        tmp_path / "gw" / "log", [opened(session), decided(session, one), closed(session)], **sealed
    )
    source = Source("gw", log, (identity,), tmp_path / "gw" / "keys" / "payload")
    path = tmp_path / "state" / "index.sqlite"
    build.update(path, [source])
    assert SECRET.encode() in b"".join(file.read_bytes() for file in path.parent.iterdir())
    for key in source.keys_folder.rglob(f"*{session.id.hex()}*") if keys_are_gone else ():
        shutil.rmtree(key) if key.is_dir() else key.unlink()
    index_stand.write(log, [index_stand.erased(session)], at=NOW + 60 * NS, **sealed)
    assert "erased" in build.update(path, [source]).rebuilt
    left = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert SECRET.encode() not in left
    assert b"canary" not in left
