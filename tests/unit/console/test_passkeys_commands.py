"""`doorward passkeys`: what a browser made becomes a line, and nothing else does."""

import json

import pytest
from passkey import Authenticator

from doorward_core.approvals.passkeys import parse_passkeys

DESK = ("--rp-id", "desk.example", "--origin", "https://desk.example")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "passkeys"


def test_a_response_is_verified_shown_and_added(run, file, tmp_path):
    device, path = Authenticator(), tmp_path / "dora.json"
    path.write_text(json.dumps(device.enrol(label="dora's phone\u00e9")), encoding="utf-8")
    done = run("passkeys", "add", "--file", file, *DESK, "--response", path, "--subject", "dora")
    assert (done.exit_code, device.passkey().fingerprint in done.output) == (0, True)
    (only,) = parse_passkeys(file.read_bytes(), "f")
    assert (only.subject, only.label, only.credential) == ("dora", "dora's phone\u00e9", device.credential)


def test_a_response_may_come_by_input_and_what_was_there_stays(run, file):
    first, second = Authenticator(), Authenticator()
    file.write_text(f"# ours\n{first.passkey('eve').line}", encoding="ascii")
    file.chmod(0o600)
    done = run("passkeys", "add", "--file", file, *DESK, input=json.dumps(second.enrol()))
    assert done.exit_code == 0
    assert file.read_text(encoding="ascii").startswith("# ours\n")
    assert [item.subject for item in parse_passkeys(file.read_bytes(), "f")] == ["eve", "dora"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert not file.with_name("passkeys.new").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--subject", "eve"), "not of whom you say"),
        (("--rp-id", "other.example"), "another site"),
        (("--origin", "https://other.example"), None),
    ],
)
def test_ap_05_what_does_not_verify_is_not_added(run, file, more, words):
    device = Authenticator(origin="https://desk.example" if words else "https://evil.example")
    done = run("passkeys", "add", "--file", file, *DESK, *more, input=json.dumps(device.enrol()))
    assert (done.exit_code, file.exists()) == (1, False)
    assert (words or "not among `origins`") in done.output


@pytest.mark.parametrize("given", ["", "{", "[]", "[" * 100_000, '{"a": 1}', "x" * 300_000])
def test_garbage_is_not_added(run, file, given):
    done = run("passkeys", "add", "--file", file, *DESK, input=given)
    assert (done.exit_code, file.exists(), "Traceback" in done.output) == (1, False, False)


def test_a_list_shows_whose_they_are_harmlessly(run, file):
    device = Authenticator()
    file.write_text(device.passkey(label="phone").line, encoding="ascii")
    assert device.passkey().fingerprint in run("passkeys", "list", "--file", file).output
    (only,) = json.loads(run("passkeys", "list", "--file", file, "--json").output)
    assert (only["subject"], only["label"]) == ("dora", "phone")
    file.write_text("", encoding="ascii")
    assert run("passkeys", "list", "--file", file).output == "no passkeys\n"


def test_a_check_says_every_fault_with_its_line(run, file):
    line = Authenticator().passkey().line
    file.write_text(f"{line}\nnonsense\n{line}\n", encoding="ascii")
    done = run("passkeys", "check", "--file", file)
    assert (done.exit_code, ":2: " in done.output, ":3: " in done.output) == (1, True, True)
    file.write_text(f"{line}\n", encoding="ascii")
    assert run("passkeys", "check", "--file", file).output == "ok: 1 passkeys of 1 people\n"


def test_which_file_must_be_said_once(run, file):
    for more in ((), ("--file", file, "--config", file)):
        assert "which file?" in run("passkeys", "check", *more).output
    assert "for which desk?" in run("passkeys", "add", "--file", file, input="{}").output
