"""`doorward erase`: what it asks of the gateway, and what it says of the answer."""

import json

import pytest

from doorward_console import asking, erase_command

DONE = {
    "id": "e1",
    "state": "done",
    "sessions": ["aa" * 16],
    "keys": 1,
    "cards": 2,
    "unsearched_below": 0,
    "problem": "",
}


@pytest.fixture
def gateway(monkeypatch):
    """What the gateway answers, one after another, and what it was asked."""
    answers, asked = [], []
    monkeypatch.setattr(asking, "reach", lambda *_, **__: "gateway")
    monkeypatch.setattr(erase_command, "tell", lambda _, path, body: asked.append((path, body)) or answers.pop(0))
    monkeypatch.setattr(erase_command, "ask", lambda _, path: asked.append((path, None)) or answers.pop(0))
    return answers, asked


def erase(run, *more):
    return run("erase", "--gateway", "unix:/x", "--reason", "article 17", *more)


def test_it_waits_until_it_is_done_and_says_what_went(run, gateway):
    answers, asked = gateway
    answers += [{**DONE, "state": "running"}, DONE]
    done = erase(run, "--session", "aa" * 16)
    assert done.exit_code == 0, done.output
    assert "1 keys deleted, 2 requests wiped" in done.output
    assert asked == [
        ("/v1/erasures", {"reason": "article 17", "dry": False, "sessions": ["aa" * 16]}),
        ("/v1/erasures/e1", None),
    ]


def test_a_subject_is_named_whole(run, gateway):
    answers, asked = gateway
    answers.append({**DONE, "state": "dry"})
    done = erase(run, "--subject", "sam", "--issuer", "i", "--sponsored", "--dry", "--json")
    assert json.loads(done.output)["state"] == "dry"
    assert asked[0][1] == {"reason": "article 17", "dry": True, "subject": "sam", "issuer": "i", "sponsored": True}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({**DONE, "state": "refused", "problem": "sessions that are open"}, "sessions that are open"),
        ({**DONE, "state": "failed", "problem": "disk"}, "nothing was erased: disk"),
        ({**DONE, "unsearched_below": 512}, "not all of the log could be looked through"),
    ],
)
def test_what_was_not_done_is_said_and_its_status_is_1(run, gateway, answer, words):
    gateway[0].append(answer)
    done = erase(run, "--session", "aa" * 16)
    assert (done.exit_code, words in done.output) == (1, True)


@pytest.mark.parametrize("more", [(), ("--session", "aa" * 16, "--subject", "sam")])
def test_it_is_told_what_to_erase_in_one_way(run, gateway, more):
    assert erase(run, *more).exit_code == 2
