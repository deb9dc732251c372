"""`doorward verify` over a log that the real writer wrote."""

import json
import re
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def damaged(log, tmp_path) -> Path:
    """A copy of the log with one bit of its fifth entry turned."""
    copy = tmp_path / "log"
    shutil.copytree(log, copy)
    bundle = max((copy / "tile" / "entries").rglob("*.p/*"), key=lambda path: int(path.name))
    data = bytearray(bundle.read_bytes())
    place = data.index(b"DROP TABLE")
    data[place] ^= 1
    bundle.write_bytes(data)
    return copy


def test_a_whole_log_verifies(run, log):
    done = run("verify", log)
    assert done.exit_code == 0
    assert "ok: every entry" in done.output
    assert "give --key" in done.output


def test_with_a_key_and_a_checkpoint_from_outside_it_says_so(run, log):
    done = run("verify", log, "--key-file", log.parent / "signer.vkey", "--checkpoint", log / "checkpoint", "--json")
    report = json.loads(done.output)
    assert (report["ok"], report["key_from_outside"], report["checkpoint_from_outside"]) == (True, True, True)
    assert report["size"] == report["checkpoint_size"] == 13


def test_a_turned_bit_is_found_and_its_entry_named(run, damaged):
    done = run("verify", damaged)
    assert (done.exit_code, "entry 4" in done.output, "NOT OK" in done.output) == (1, True, True)
    report = json.loads(run("verify", damaged, "--json").output)
    assert (report["ok"], report["problems"][0]["index"]) == (False, 4)


@pytest.mark.parametrize(
    "arguments", [("/nonexistent",), ("{log}", "--checkpoint", "/nonexistent"), ("{log}", "--key-file", "/nonexistent")]
)
def test_what_cannot_be_read_ends_with_2(run, log, arguments):
    done = run("verify", *(argument.format(log=log) for argument in arguments))
    assert done.exit_code == 2


def test_a_key_that_is_none_or_another_gateways_does_not_verify(run, log):
    assert run("verify", log, "--key", "gw.example+00000000+AAAA").exit_code != 0


def test_a_key_that_cannot_be_read_is_said_without_a_traceback(run, log):
    done = run("verify", log, "--key", "foo")
    assert (done.exit_code, "not a vkey" in done.output) == (2, True)


def test_what_was_checked_is_told_in_words(run, log):
    assert re.search(r"checked +[0-9]+ entries, [0-9]+ tiles, [0-9]+ contents", run("verify", log).output)


def test_files_beyond_the_log_are_told_in_words_and_in_json(run, log, tmp_path):
    copy = tmp_path / "log"
    shutil.copytree(log, copy)
    assert json.loads(run("verify", copy, "--json").output)["beyond"] is None
    (copy / "tile" / "entries" / "004").write_bytes(b"junk")
    done = run("verify", copy, "--json")
    assert done.exit_code == 0
    assert json.loads(done.output)["beyond"] == {"bundles": 1, "tiles": 0, "start": 13, "end": 1280}
    assert "1 bundles and 0 tiles reach beyond the log's last entry, up to 1280" in run("verify", copy).output
