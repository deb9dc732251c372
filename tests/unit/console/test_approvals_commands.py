"""`doorward approvals` against a real control API: list, show, vote, sign, and every way to be told no."""

import json
import subprocess

import pytest

from doorward_console.approvals_commands import _known_ids
from doorward_core.approvals.codec import content_digest
from doorward_core.event import EventKind

NAME = "ap-0123456789ab"


@pytest.fixture
def approvals(run, control):
    def call(command, *arguments, token="dora-token", **options):
        return run("approvals", command, *arguments, "--gateway", control.url, "--token", token, **options)

    return call


def test_a_list_shows_what_waits_in_one_line_each(approvals, control):
    control.hold(text="UPDATE customer\n  SET name = '\x1b[2J'")
    done = approvals("list")
    assert (done.exit_code, NAME in done.output, "\x1b" in done.output) == (0, True, False)
    assert "CAREFUL: control" in " ".join(done.output.split())


def test_a_list_is_honest_about_being_empty(approvals):
    assert approvals("list").output == "nothing waits for you\n"
    assert approvals("list", "--state", "all").output == "none\n"


def test_a_list_in_json_is_the_gateways_own(approvals, control):
    control.hold()
    document = json.loads(approvals("list", "--json").output)
    assert document["approvals"][0]["id"] == NAME


def test_a_card_shows_the_whole_text_and_every_parameter(approvals, control):
    control.hold()
    shown = approvals("show", NAME.upper()).output
    for part in (
        "crew-7 (agent)",
        "sponsor sam",
        "write relation public.customer (name)",
        "  | UPDATE customer",
        "$1 = 'x'",
        "$2 = NULL",
        "1 missing",
    ):
        assert part in shown


def test_a_card_in_json_has_the_digest_of_its_content(approvals, control):
    request = control.hold()
    assert json.loads(approvals("show", NAME, "--json").output)["content"] == content_digest(request).hex()


def test_an_approval_lets_it_through_and_says_so(approvals, control):
    control.hold()
    done = approvals("approve", NAME, "--reason", "fine")
    assert (done.exit_code, control.state(NAME)) == (0, "granted")
    assert "it is granted" in done.output
    assert control.events[0].payload["reason"] == "fine"


@pytest.mark.parametrize(
    ("attended", "said", "kept"),
    [
        (True, (), False),
        (True, ("--once",), False),
        (True, ("--retry",), True),
        (False, (), True),
        (False, ("--retry",), True),
    ],
)
def test_an_approval_is_once_unless_a_retry_is_asked_for_or_nobody_waits(approvals, control, attended, said, kept):
    control.hold(retry=True, attended=attended)
    done = approvals("approve", NAME, *said)
    assert (done.exit_code, control.state(NAME), control.events[0].header["retry"]) == (0, "granted", kept)
    assert ("gone      whoever asked waits no longer" in done.output) is not attended
    assert ("one identical retry may use it until" in done.output) is kept
    votes = json.loads(approvals("show", NAME, "--json").output)["votes"]
    assert [vote["retry"] for vote in votes] == [kept]
    words = "dora approves, and an identical retry" if kept else "dora approves, for the one that waits alone"
    assert words in approvals("show", NAME).output


def test_an_approval_once_where_nobody_waits_is_refused_in_words_that_help(approvals, control):
    control.hold(retry=True, attended=False)
    done = approvals("approve", NAME, "--once")
    assert (done.exit_code, control.state(NAME)) == (1, "pending")
    assert "only an approval that allows an identical retry helps" in " ".join(done.output.split())
    assert "pending, asker gone" in " ".join(approvals("list").output.split())


def test_a_retry_that_the_rule_does_not_allow_is_not_even_sent(approvals, control):
    control.hold()
    done = approvals("approve", NAME, "--retry")
    assert (done.exit_code != 0, control.events) == (True, [])
    assert "allows no identical retry" in done.output
    assert approvals("approve", NAME, "--once").exit_code == 0
    assert "retry" not in control.events[0].header


@pytest.mark.need_ssh_keygen
@pytest.mark.parametrize("said", [("--once",), ("--retry",), ()])
def test_what_was_chosen_is_signed(approvals, control, tmp_path, said, monkeypatch):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    control.signers.write_bytes(b"dora " + (tmp_path / "key.pub").read_bytes())
    control.trust()
    control.hold(retry=True)
    monkeypatch.setattr("time.time_ns", lambda: 1_800_000_000 * 10**9 + 10**9)
    done = approvals("approve", NAME, "--sign-with", tmp_path / "key", *said)
    assert (done.exit_code, control.state(NAME)) == (0, "granted"), done.output
    line = b"retry: true" if said == ("--retry",) else b"retry: false"
    assert line in control.events[0].payload["statement"].splitlines()


def test_a_rejection_refuses_it(approvals, control):
    control.hold()
    done = approvals("reject", NAME, "-r", "no", "--json")
    assert (done.exit_code, control.state(NAME), json.loads(done.output)["state"]) == (0, "rejected", "rejected")


def test_a_token_may_come_from_a_file_or_from_input(run, control, tmp_path):
    control.hold()
    (tmp_path / "token").write_text("dora-token\n")
    reach = ("approvals", "list", "--gateway", control.url, "--token-file")
    assert NAME in run(*reach, tmp_path / "token").output
    assert NAME in run(*reach, "-", input="dora-token\n").output


def test_gateway_and_token_may_come_from_the_environment(run, control):
    control.hold()
    done = run("approvals", "list", env={"DOORWARD_GATEWAY": control.url, "DOORWARD_TOKEN": "dora-token"})
    assert NAME in done.output


@pytest.mark.need_ssh_keygen
def test_a_signed_vote_counts_where_a_signature_is_asked_for(approvals, control, tmp_path, request_card, monkeypatch):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    control.signers.write_bytes(b"dora " + (tmp_path / "key.pub").read_bytes())
    control.trust()
    (rule,) = request_card().rules
    control.hold(rules=(type(rule)(rule.rule, rule.rule_hash, rule.groups, 1, "sshsig"),))
    monkeypatch.setattr("time.time_ns", lambda: 1_800_000_000 * 10**9 + 10**9)
    weak = approvals("approve", NAME)
    assert (weak.exit_code, "stronger proof" in weak.output) == (1, True)
    done = approvals("approve", NAME, "--sign-with", tmp_path / "key")
    assert (done.exit_code, control.state(NAME)) == (0, "granted")
    counted = [event for event in control.events if event.kind is EventKind.APPROVAL_VOTED][-1]
    assert counted.header["proof"] == "sshsig"


@pytest.mark.parametrize(
    ("arguments", "token", "said"),
    [
        (("approve", NAME), "wrong-token", (1, "valid bearer token")),
        (("approve", NAME), "sid-token", (1, "no such request")),
        (("show", "ap-000000000000"), "dora-token", (1, "no such request")),
        (("show", "7"), "dora-token", (2, "not the id of a request")),
        (("list", "--state", "odd state"), "dora-token", (1, "state is one of")),
        (("approve", NAME, "--reason", "a\nb"), "dora-token", (1, "line breaks")),
        (("approve", NAME, "--sign-with", "/nonexistent"), "dora-token", (2, "not a file")),
        (("list",), "", (2, "who are you?")),
    ],
)
def test_a_no_is_said_on_standard_error_with_its_status(approvals, control, arguments, token, said):
    control.hold()
    done = approvals(*arguments, token=token)
    status, words = said
    assert (done.exit_code, words in done.stderr) == (status, True)
    assert control.state(NAME) == "pending"


def test_a_second_vote_of_the_same_person_is_refused(approvals, control, request_card):
    (rule,) = request_card().rules
    control.hold(rules=(type(rule)(rule.rule, rule.rule_hash, rule.groups, 2),))
    assert "1 more needed" in approvals("approve", NAME).output
    again = approvals("approve", NAME)
    assert (again.exit_code, "already voted" in again.stderr) == (1, True)
    assert approvals("approve", NAME, token="eve-token").exit_code == 0


def test_at_a_terminal_it_asks_before_it_votes(approvals, control, monkeypatch):
    control.hold()
    monkeypatch.setattr("doorward_console.approvals_commands._at_terminal", lambda: True)
    assert approvals("approve", NAME, input="n\n").exit_code == 1
    assert control.state(NAME) == "pending"
    assert approvals("approve", NAME, input="y\n").exit_code == 0
    assert control.state(NAME) == "granted"


def test_ids_complete_from_what_waits(run, control, monkeypatch):
    control.hold()
    assert _known_ids("ap-") == []
    monkeypatch.setenv("DOORWARD_GATEWAY", control.url)
    monkeypatch.setenv("DOORWARD_TOKEN", "dora-token")
    assert (_known_ids("ap-01"), _known_ids("ap-9")) == ([NAME], [])
    monkeypatch.setenv("DOORWARD_TOKEN", "wrong")
    assert _known_ids("ap-") == []
