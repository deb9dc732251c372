"""`doorward follow`, as an operator runs it."""

import json


def test_a_log_is_shipped_to_a_file_and_goes_on_from_there(run, log, log_entries, tmp_path):
    reach = ("follow", "--log", log, "--to", tmp_path / "out.jsonl", "--cursor", tmp_path / "cursor", "--once")
    done = run(*reach)
    assert (done.exit_code, done.stderr) == (0, f"{len(log_entries)} events delivered\n")
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert kinds == [entry.kind for entry in log_entries]
    assert "0 events" in run(*reach).stderr


def test_a_place_that_is_none_ends_with_2(run, log, tmp_path):
    done = run("follow", "--log", log, "--to", "gopher://x/y", "--cursor", tmp_path / "c", "--once")
    assert (done.exit_code, "syslogs://" in done.stderr) == (2, True)


def test_a_cursor_of_another_log_ends_with_2(run, log, tmp_path):
    (tmp_path / "c").write_text('{"origin": "other", "next": 0, "leaf": ""}')
    done = run("follow", "--log", log, "--to", tmp_path / "out", "--cursor", tmp_path / "c", "--once")
    assert (done.exit_code, "of the log" in done.stderr) == (2, True)


def test_authorities_that_are_none_are_named(run, log, tmp_path):
    (tmp_path / "ca.pem").write_text("nothing\n")
    for place in ("https://siem.example/in", "syslogs://siem.example:6514"):
        done = run(
            "follow", "--log", log, "--to", place, "--ca", tmp_path / "ca.pem", "--cursor", tmp_path / "c", "--once"
        )
        assert done.exit_code == 2
        assert "ca.pem: tls: the authorities cannot be read: there is no certificate" in " ".join(done.stderr.split())
