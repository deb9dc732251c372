"""A request as an approver reads it: whole, marked, and believed only where it agrees with itself."""

from dataclasses import replace

import pytest

from doorward_console.cards import card_lines, read_detail
from doorward_core.approvals.codec import card, content_digest
from doorward_core.model import Actor

NOW = 1_800_000_000 * 10**9


@pytest.fixture
def document(request_card):
    def make(state="pending", votes=(), **changes):
        request = request_card(**changes)
        return {
            "request": card(request),
            "content": content_digest(request).hex(),
            "state": state,
            "votes": list(votes),
            "missing": {"writes": 1},
        }

    return make


def _card(document) -> list[str]:
    return card_lines(read_detail(document), NOW)


def test_a_statement_cannot_forge_a_line_of_the_card(document):
    lines = _card(document(text="x\nvote      admin approves\r\nrequest   ap-zzz\x1b[2J"))
    assert "  | vote      admin approves" in lines
    assert "  | request   ap-zzz<U+001B>[2J" in lines
    assert sum(line.startswith("vote ") for line in lines) == 0


@pytest.mark.parametrize("name", ["subject", "display", "sponsor", "resource", "account", "verb", "reason", "origin"])
def test_no_name_is_obeyed_or_breaks_out_of_its_line(document, name):
    lines = _card(document(**{name: "a\nvote forged\x1b[0m\u202e"}))
    assert not any(
        line.startswith("vote forged") or {"\x1b", "\u202e", "\n"} & set(line.replace("\n  ", "")) for line in lines
    )


def test_a_text_of_100_kb_is_shown_to_its_last_line(document):
    lines = _card(document(text="SELECT 1\n" * 11_000 + "DROP TABLE customer"))
    assert "  | DROP TABLE customer" in lines


def test_what_was_cut_or_streams_in_is_said_aloud(document):
    text = "\n".join(_card(document(text_truncated=True, unseen=("copy-data",))))
    assert "THERE IS MORE" in text
    assert "unseen    copy-data" in text


def test_oddities_of_text_and_parameters_are_said(document):
    assert any("CAREFUL" in line and "U+202E" in line for line in _card(document(parameters=("\u202e",))))


def test_everyone_in_the_chain_and_every_vote_are_named(document):
    vote = {"approver": "dora", "verdict": "approve", "reason": "fine", "proof": "sshsig", "cast_unix_ns": NOW}
    text = "\n".join(_card(document(votes=[vote], actor_chain=(Actor("anna", "https://id.example"),))))
    assert "with anna of https://id.example" in text
    assert 'vote      dora approves: "fine" (sshsig, 2027-01-15 08:00:00.000Z)' in text


def test_a_closed_request_shows_when_it_ended(document):
    assert "2027-01-15 08:10:00.000Z" in _card(document(state="expired"))[0]


def test_an_answer_that_contradicts_itself_is_not_shown(document, request_card):
    swapped = {**document(), "request": card(replace(request_card(), text="SELECT 1"))}
    with pytest.raises(ValueError, match="contradicts itself"):
        read_detail(swapped)


@pytest.mark.parametrize("change", [{"votes": None}, {"missing": []}, {"state": 1}, {"request": None}])
def test_an_answer_of_another_shape_is_refused(document, change):
    with pytest.raises(ValueError):
        read_detail({**document(), **change})


def test_a_long_statement_is_shown_as_it_is_and_laid_out_below(document):
    text = "UPDATE customer SET newsletter = false, country = 'DE' WHERE id = 42 AND name IN (SELECT name FROM orders)"
    lines = _card(document(text=text, context={"search_path": "public"}))
    assert f"  | {text}" in lines
    assert "  | WHERE id = 42" in lines


def test_a_preview_stands_apart_behind_the_margin_and_is_called_what_it_is(document):
    told = "EXPLAIN:\nvote      forged\x1b[0m"
    lines = _card(document(context={"search_path": "public", "preview": told}))
    assert "preview, which is no promise:" in lines
    assert "  | vote      forged<U+001B>[0m" in lines
    assert [line for line in lines if line.startswith(("within", "vote"))] == ["within    search_path=public"]
    assert not any("preview" in line for line in _card(document(context={"search_path": "public", "preview": ""})))


def test_standing_access_says_how_long_it_stands(document):
    assert not any(line.startswith("stands") for line in _card(document()))
    lines = _card(document(standing=True, grant_s=7200))
    assert "stands    for 2 h 0 min from the approval: all of this goes on without anybody being asked again" in lines


def test_a_retry_that_may_be_allowed_is_said_and_what_was_chosen_beside_the_vote(document):
    open_, once = {"retry": True, "attended": True}, {"retry": False, "attended": True}
    vote = {"approver": "dora", "verdict": "approve", "proof": "token", "cast_unix_ns": NOW, "retry": False}
    offered = _card({**document(retry=True), **open_})
    assert "retry     may be allowed by its approvers: once, within 5 min 0 s of the approval (--retry)" in offered
    narrowed = _card({**document(retry=True, votes=[vote]), **once})
    assert "retry     none: an approval is for the one that waits alone" in narrowed
    assert any(line.startswith("vote      dora approves, for the one that waits alone (token") for line in narrowed)
    granted = _card({**document("granted", retry=True), **open_, "granted_until_unix_ns": NOW})
    assert "retry     one identical retry may use it until 2027-01-15 08:00:00.000Z" in granted
    for none in (document(), {**document(), **open_}, document(retry=True)):
        assert not any(line.startswith(("retry", "gone")) for line in _card(none))


def test_that_whoever_asked_is_gone_is_said_while_it_waits(document):
    words = "gone      whoever asked waits no longer, and may come back"
    gone = {"retry": True, "attended": False}
    assert words in _card({**document(retry=True), **gone})
    assert words not in _card({**document("granted", retry=True), **gone})


@pytest.mark.parametrize(
    ("attended", "retry", "choices"),
    [
        (None, True, ()),
        (True, True, (False, True)),
        (False, True, (True,)),
        (True, False, (False,)),
        (False, False, (False,)),
    ],
)
def test_the_choices_are_what_helps_whoever_asked(document, attended, retry, choices):
    said = {**document(retry=True), "attended": attended, "retry": retry}
    assert read_detail(said).choices == choices
    assert read_detail({**document(), "attended": attended, "retry": retry}).choices == ()
