"""What receivers are sent: in each style, with hostile texts, and signed."""

import hashlib
import hmac
import json

import pytest

from doorward_core.approvals.notify import (
    MAX_TEXT_CHARACTERS,
    TITLES,
    address_problem,
    body,
    cut,
    link_to,
    of_ending,
    of_event,
    of_request,
    signature,
)
from doorward_core.approvals.request import RequestState
from doorward_core.config_approvals import EVENTS
from doorward_core.event import Event, EventKind
from doorward_core.model import Action, Atom, Target

NOW = 1_800_000_000 * 10**9
LINK = "https://desk.example/approvals/ap-0123456789ab"
HOSTILE = "x <!channel> <@U123> *b* [go](https://evil.example) <at>all</at> \u202eabc\u200b\nApproved by: dora"


def _made(notice, style, **changes):
    return json.loads(body(notice, style, **{"link": LINK, "delivery": "d1", "text": True, **changes}))


def _walk(value):
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


@pytest.fixture
def hostile(a_request):
    atoms = (Atom(Action.WRITE, Target("relation", HOSTILE)),)
    changes = {"subject": HOSTILE, "sponsor": HOSTILE, "resource": HOSTILE, "reason": HOSTILE, "verb": HOSTILE}
    return of_request("held", a_request(text=HOSTILE, account=HOSTILE, atoms=atoms, **changes), NOW)


def test_every_event_that_can_be_configured_has_a_title():
    assert set(TITLES) == set(EVENTS)


def test_plain_json_says_what_happened(a_request):
    said = _made(of_request("held", a_request(), NOW), "json")
    assert (said["event"], said["id"], said["subject"]) == ("held", "ap-0123456789ab", "crew-7")
    assert (said["targets"], said["rules"]) == (["write public.customer"], ["writes"])
    assert (said["link"], said["delivery"], said["version"], said["unix_ns"]) == (LINK, "d1", 1, NOW)


@pytest.mark.parametrize(("retry", "said"), [(None, None), (True, "allowed"), (False, "not allowed")])
def test_a_vote_says_whether_a_retry_is_allowed_where_that_was_chosen(a_request, a_vote, retry, said):
    made = _made(of_request("voted", a_request(), NOW, vote=a_vote(a_request(), retry=retry)), "json")
    assert (made["voted"], made.get("retry")) == ("dora: approve", said)


@pytest.mark.parametrize("style", ["json", "slack", "teams"])
def test_statements_are_sent_only_where_the_operator_says_so(a_request, style):
    notice = of_request("held", a_request(text="SELECT 'iban DE02'"), NOW)
    assert "DE02" in json.dumps(_made(notice, style))
    assert "DE02" not in json.dumps(_made(notice, style, text=False))


def test_an_ending_says_who_voted_last_and_why(a_request, a_vote):
    request = a_request()
    said = _made(of_ending(request, RequestState.REJECTED, (a_vote(request, reason="no"),), NOW), "json")
    assert (said["event"], said["voted"], said["said"]) == ("rejected", "dora: approve", "no")


def test_broken_glass_is_told_and_no_other_event(a_request):
    header = {"request": "bg-1", "subject": "dora", "resource": "app-db", "expires_unix_ns": 5}
    notice = of_event(Event(EventKind.BREAK_GLASS_OPENED, header, {"reason": "outage"}), "gw", NOW)
    assert (notice.event, notice.subject, notice.reason, notice.until_unix_ns) == ("break-glass", "dora", "outage", 5)
    assert of_event(Event(EventKind.BREAK_GLASS_REVIEWED, {}, {}), "gw", NOW) is None


@pytest.mark.parametrize("style", ["json", "slack", "teams"])
def test_ap_04_what_cannot_be_seen_or_would_forge_a_line_is_written_out(hostile, style):
    for text in _texts(_made(hostile, style)):
        assert "\u202e" not in text
        assert "\u200b" not in text
        assert not text.startswith("Approved")
    assert "\nApproved" not in "".join(_texts(_made(hostile, style)))


def test_ap_04_in_slack_strangers_text_is_never_markup(hostile):
    said = _made(hostile, "slack")
    assert said["text"] == "A request waits for approval."
    assert [block["type"] for block in said["blocks"]] == ["rich_text"]
    assert {part["type"] for part in _walk(said["blocks"]) if "type" in part} == {
        "rich_text", "rich_text_section", "rich_text_preformatted", "text", "link",
    }  # fmt: skip
    holders = [part for part in _walk(said["blocks"]) if any("<!channel>" in str(value) for value in part.values())]
    assert {part["type"] for part in holders} <= {"rich_text", "rich_text_preformatted", "text"}
    assert [part["url"] for part in _walk(said) if part.get("type") == "link"] == [LINK]


def test_ap_04_in_teams_strangers_text_is_never_markdown(hostile):
    card = _made(hostile, "teams")["attachments"][0]["content"]
    holders = [part for part in _walk(card) if "<at>" in str(part.get("text", ""))]
    assert holders
    assert {part["type"] for part in holders} == {"TextRun"}
    assert all("<at>" not in str(part.get("text")) for part in _walk(card) if part.get("type") == "TextBlock")
    assert "msteams" not in card


@pytest.mark.parametrize("style", ["json", "slack", "teams"])
def test_ap_10_nothing_in_a_message_decides(hostile, style):
    said = _made(hostile, style)
    assert all(
        part.get("type") not in ("button", "actions", "Action.Submit", "Action.Execute", "Action.Http")
        for part in _walk(said)
    )
    assert [text for text in _texts(said) if text.startswith("http") and "adaptivecards" not in text] == [LINK]
    assert not json.dumps(_made(hostile, style, link="")).count("desk.example")


@pytest.mark.parametrize("style", ["json", "slack", "teams"])
def test_a_body_is_bounded_whatever_the_statement(a_request, style):
    atoms = tuple(Atom(Action.READ, Target("relation", f"t{number}" * 1000)) for number in range(1000))
    long = dict.fromkeys(("text", "subject", "sponsor", "resource", "reason", "account"), "\u202e" * 100000)
    notice = of_request("held", a_request(atoms=atoms, **long), NOW)
    assert len(body(notice, style, link=LINK, delivery="d", text=True)) < 16_384
    assert cut("x" * 1000, MAX_TEXT_CHARACTERS).endswith("[...]")


def test_a_signature_is_over_the_time_and_the_body():
    made = signature(b"k" * 32, b"{}", 1_800_000_000)
    wanted = hmac.new(b"k" * 32, b"1800000000.{}", hashlib.sha256).hexdigest()
    assert made == f"t=1800000000,v1={wanted}"


@pytest.mark.parametrize(("name", "link"), [("ap-1", "https://d/ap-1"), ("../x", ""), ("a?b=c", ""), ("\u00e4", "")])
def test_a_link_is_made_of_ids_only(name, link):
    assert link_to("https://d/{id}", name) == link
    assert link_to("", "ap-1") == ""


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://hooks.example/T1/B2", ""),
        ("http://127.0.0.1:9/x", ""),
        ("http://localhost:9/x", ""),
        ("http://[::1]:9/x", ""),
        ("http://hooks.example/x", "not https"),
        ("http://127.0.0.1.evil.example/x", "not https"),
        ("ftp://hooks.example/x", "not https"),
        ("https://me:pw@hooks.example/x", "not a plain URL"),
        ("https:///x", "not a plain URL"),
        ("https://hooks.example/ x", "not a plain URL"),
        ("https://hooks.example:99999/", "cannot be read"),
        ("", "not a plain URL"),
        ("https://h/" + "x" * 3000, "not a plain URL"),
    ],
)
def test_nothing_is_sent_without_tls_but_to_this_machine(url, words):
    problem = address_problem(url)
    assert (words in problem) if words else problem == ""
