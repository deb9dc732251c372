"""Passkeys and receivers, as an operator writes them."""

import pytest

from doorward_core.config_approvals import TOLD, PasskeySettings, Receiver
from doorward_core.config_types import validate
from doorward_core.config_yaml import read_document


def _read(model, text, folder):
    made, problems = validate(model, read_document(text, "f.yaml"), folder=folder)
    return made, [problem.message for problem in problems]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "passkeys").write_text("", encoding="ascii")
    return tmp_path


@pytest.mark.parametrize(
    ("rp_id", "origins"),
    [
        ("desk.example", "[https://desk.example]"),
        ("example.org", "[https://desk.example.org, 'https://eu.desk.example.org:8443']"),
        ("localhost", "['http://localhost:8443', 'https://localhost']"),
    ],
)
def test_pages_within_the_domain_are_taken(folder, rp_id, origins):
    made, problems = _read(PasskeySettings, f"{{file: passkeys, rp_id: {rp_id}, origins: {origins}}}", folder)
    assert (problems, made.rp_id) == ([], rp_id)


@pytest.mark.parametrize(
    ("rp_id", "origins", "words"),
    [
        ("desk.example", "[]", "at least one entry"),
        ("desk.example", "['http://desk.example']", "expected an origin"),
        ("desk.example", "['https://desk.example/']", "expected an origin"),
        ("desk.example", "['https://Desk.example']", "expected an origin"),
        ("desk.example", "['https://me@desk.example']", "expected an origin"),
        ("desk.example", "['desk.example']", "expected an origin"),
        ("desk.example", "['https://evildesk.example']", "is not within"),
        ("desk.example", "['https://desk.example.evil.org']", "is not within"),
        ("https://desk.example", "['https://desk.example']", "expected the domain"),
        ("Desk.example", "['https://desk.example']", "expected the domain"),
        ("desk.example:443", "['https://desk.example']", "expected the domain"),
    ],
)
def test_ap_05_a_page_that_could_not_or_must_not_use_a_passkey_is_a_fault(folder, rp_id, origins, words):
    _, problems = _read(PasskeySettings, f"{{file: passkeys, rp_id: '{rp_id}', origins: {origins}}}", folder)
    assert any(words in problem for problem in problems), problems


def test_a_file_that_is_not_there_is_a_fault(folder):
    _, problems = _read(PasskeySettings, "{file: other, rp_id: a.example, origins: [https://a.example]}", folder)
    assert any("no such file" in problem for problem in problems)


def test_a_receiver_is_told_of_everything_but_votes_unless_it_says(folder):
    made, problems = _read(Receiver, "{url: {env: HOOK}, key: {env: KEY}}", folder)
    assert (problems, made.on, made.format) == ([], TOLD, "json")
    made, _ = _read(Receiver, "{url: {env: HOOK}, format: slack, on: [held]}", folder)
    assert made.on == ("held",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{url: {env: HOOK}}", "needs `key`"),
        ("{url: 'https://hooks.example/secret', key: {env: KEY}}", "never written here"),
        ("{url: {env: HOOK}, format: irc}", "expected"),
        ("{url: {env: HOOK}, format: slack, on: [opened]}", "nobody can be told of `opened`"),
        ("{url: {env: HOOK}, format: slack, on: []}", "at least one entry"),
    ],
)
def test_a_receiver_that_could_not_be_trusted_or_told_is_a_fault(folder, text, words):
    _, problems = _read(Receiver, text, folder)
    assert any(words in problem for problem in problems), problems
