"""Whatever a log says, the index finds what a plain scan of its entries finds, in whatever runs it was read."""

import tempfile
from pathlib import Path

import index_stand
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_stand import NOW, NS, a_session, asked, changed_by_leave, closed, decided, finished, opened

from doorward_console.index import build, query
from doorward_console.index.build import Source
from doorward_console.index.found import Search
from doorward_core.model import Action, Effect

WORDS = ["select", "customer", "42", "orders", "Grüße", "x\u202ey", "it's", 'a"b', "city"]
SUBJECTS = ["crew-7", "crew-8", "dana"]
NAMES = ["public.customer", "public.orders", "audit.customer"]
CHANGING = {Action.WRITE, Action.DEFINE}

operation = st.tuples(
    st.integers(0, 2),  # of which session
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
    st.lists(st.sampled_from(["42", "7", "ulm"]), max_size=2),
    st.sampled_from([Action.READ, Action.WRITE, Action.DEFINE]),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True),
    st.sampled_from(["permit", "deny", "held", "unfinished"]),
)
searches = st.fixed_dictionaries(
    {},
    optional={
        "text": st.sampled_from(["customer", "42", "select 42", "gruße", "zzz", "OR", '"select customer"']),
        "identity": st.sampled_from(["crew", "CREW-8", "ana", "zz"]),
        "resource": st.sampled_from(["shop", "ledger"]),
        "verdict": st.sampled_from(["permit", "deny", "held"]),
        "table": st.sampled_from(["customer", "public.customer", "orders"]),
        "action": st.sampled_from(["read", "write", "change"]),
        "since_unix_ns": st.integers(0, 40).map(lambda second: NOW + second * NS),
        "until_unix_ns": st.integers(1, 60).map(lambda second: NOW + second * NS),
    },
)


def _story(made):
    """The events of these operations, and of each what a scan needs to know."""
    sessions = [a_session(place, SUBJECTS[place], resource="ledger" if place else "shop") for place in range(3)]
    told = [[opened(session)] for session in sessions]
    facts = []
    seconds = 3
    events = [event for one in told for event in one]
    for number, (place, words, values, action, names, how) in enumerate(made, start=1):
        session = sessions[place]
        text = " ".join(words)
        facts.append((seconds, session, text, values, action, names, how))
        if how == "held":
            many = changed_by_leave(session, number, text, *values, name=f"ap-{number}", names=tuple(names))
            facts[-1] = (seconds, session, text, values, Action.WRITE, names, how)
        else:
            one = asked(session, number, text, *values, action=action, names=tuple(names), verb="V")
            many = [decided(session, one, Effect.DENY if how == "deny" else Effect.PERMIT)]
            many += [finished(session, one)] if how == "permit" else []
        events += many
        seconds += len(many)
    return [*events, closed(sessions[0])], facts


def _scan(facts, search):
    """What the search means, said again in the plainest way: newest first, by text and parameters."""
    found = []
    for second, session, text, values, action, names, how in facts:
        identity = session.identity
        every = " ".join(
            [text, *values, identity.subject, "sam", "seven", "mail", session.resource.name, "app", *names]
        )
        actions = {"read"} if action is Action.READ else {str(action), "change"}
        spelt = {part for name in names for part in (name, name.rpartition(".")[2])}
        verdicts = {"deny": {"deny"}, "held": {"held", "permit"}}.get(how, {"permit"})
        at = NOW + second * NS
        holds = (
            _has(search.get("text", ""), text, values, every),
            search.get("identity", "").lower() in identity.subject.lower(),
            search.get("resource", session.resource.name) == session.resource.name,
            search.get("verdict", "permit") in verdicts or "verdict" not in search,
            search.get("table", names[0]) in spelt,
            search.get("action", str(action)) in actions,
            search.get("since_unix_ns", 0) <= at < search.get("until_unix_ns", at + 1),
        )
        if all(holds):
            found.append((at, text, tuple(values)))
    return sorted(found, reverse=True)


def _has(wanted, text, values, every):
    plain = [_words(text), _words(" ".join(values)), _words(every)]
    if wanted.startswith('"'):
        phrase = _words(wanted)
        return any(one[place : place + len(phrase)] == phrase for one in plain for place in range(len(one)))
    return all(any(word in one for one in plain) for word in _words(wanted))


def _words(text):
    kept = (char if char.isalnum() else " " for char in text.lower().replace("ü", "u").replace("ß", "ß"))
    return "".join(kept).split()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(operation, max_size=12), st.lists(searches, min_size=1, max_size=6), st.integers(0, 40), st.data())
def test_the_index_finds_what_a_scan_finds(made, asked_for, cut, data):
    events, facts = _story(made)
    cut = min(cut, len(events))
    with tempfile.TemporaryDirectory() as folder:
        log, path = Path(folder) / "log", Path(folder) / "index.sqlite"
        index_stand.write(log, events[:cut])
        build.update(path, [Source("gw", log)])
        index_stand.write(log, events[cut:], at=NOW + cut * NS)
        build.update(path, [Source("gw", log)])
        with query.Index.open(path) as index:
            for search in asked_for:
                found, before = [], 0
                while True:
                    page = query.operations(index, Search(**search), limit=5, before=before)
                    found += [(row.at_unix_ns, row.text, row.parameters) for row in page.rows]
                    before = page.next
                    if not before:
                        break
                assert found == _scan(facts, search), search
