"""`doorward log reveal`, and the check of what it wrote."""

import json

from doorward_core.record.reader import LogReader


def held(log):
    """An entry with content."""
    return next(entry for entry in LogReader(log).entries() if entry.payload and "text" in entry.payload)


def test_what_was_revealed_checks_against_the_log_and_against_a_proof(run, log, tmp_path):
    entry, file, proof = held(log), tmp_path / "revealed", tmp_path / "proof"
    assert run("log", "reveal", "--log", log, "--index", entry.index, "--out", file).exit_code == 0
    done = run("log", "check-reveal", file, "--log", log, "--json")
    assert json.loads(done.output)["payload"]["text"] == entry.payload["text"]
    assert run("log", "prove", log, "--index", entry.index, "--out", proof).exit_code == 0
    vkey = (log.parent / "signer.vkey").read_text().strip()
    done = run("log", "check-reveal", file, "--proof", proof, "--key", vkey)
    assert (done.exit_code, "commits to this content" in done.output) == (0, True)


def test_what_does_not_check_ends_with_1(run, log, tmp_path):
    file = tmp_path / "revealed"
    run("log", "reveal", "--log", log, "--index", held(log).index, "--out", file)
    lines = file.read_text().split("\n")
    lines[2] = str(held(log).index + 1)
    file.write_text("\n".join(lines))
    assert run("log", "check-reveal", file, "--log", log).exit_code == 1
    assert run("log", "check-reveal", file).exit_code == 2
