"""Pages of a running desk: the inbox with a thousand requests waiting, and searches over a log of many events."""

import os
import time
from pathlib import Path
from urllib.parse import urlencode

from bench.desk_places import APPROVER, AUDITOR, Browser, Gate
from bench.desk_votes import spread
from doorward_core.approvals.request import NS_PER_S, ApprovalRequest, HeldRule, request_id
from doorward_core.approvals.store import Quota, SqliteStore
from doorward_core.model import Action, Atom, PrincipalKind, Target
from doorward_core.rooms import key_file

WAITING = 1_000
AGENTS = 50
WITHIN_S = 3600
WARM = 2

SEARCHES = {
    "who changed customer 42 yesterday": {"q": "who changed customer 42 yesterday"},
    "a rare word": {"q": "4711"},
    "a common word": {"q": "select"},
    "denied last week": {"q": "denied last week"},
    "by sponsor": {"sponsor": "person-3"},
}
SESSIONS = {
    "who changed customer 42 yesterday": {"q": "42", "table": "customer", "action": "change", "since": "yesterday"},
    "a rare word": {"q": "4711"},
    "a common word": {"q": "select"},
    "denied last week": {"verdict": "deny", "since": "7d"},
    "by sponsor": {"sponsor": "person-3"},
}


def fill(home: Path) -> None:
    """Put requests into the store of a gateway that is about to start, as its agents' changes would have."""
    (home / "keys").mkdir(mode=0o700)
    store = SqliteStore(
        home / "approvals.sqlite", key_file(home / "keys" / "approvals.key"), Quota(WAITING, WAITING, WAITING)
    )
    now = time.time_ns()
    for number in range(WAITING):
        store.open(_request(number, now - (WAITING - number) * NS_PER_S))
    store.close()


def _request(number: int, at_unix_ns: int) -> ApprovalRequest:
    atom = Atom(Action.WRITE, Target("relation", "public.customer", ("note", "email")))
    text = (
        "UPDATE customer SET note = $1, email = $2\n"
        f"WHERE id = {number} AND region IN ('north', 'south') -- as agreed with the sponsor of order {number}\n"
    )
    return ApprovalRequest(
        id=request_id(os.urandom(8)), origin="bench.gateway", digest=os.urandom(32), session_id=os.urandom(16),
        operation_id=os.urandom(16), subject=f"crew-{number % AGENTS}", issuer="https://id.example",
        sponsor=f"person-{number % 7}", kind=PrincipalKind.AGENT, display=f"Analyst {number % AGENTS}",
        attributes={"crew": "quarterly", "task": f"review-{number}"}, resource="bench", account="app", verb="UPDATE",
        text=text, text_truncated=False, parameters=("to be called", f"customer{number}@example.com"), atoms=(atom,),
        unseen=(), rules=(HeldRule("changes-need-a-human", bytes(32), frozenset({"dba"}), 1),),
        reason="Changes need a human.", opened_unix_ns=at_unix_ns, expires_unix_ns=at_unix_ns + 2 * WITHIN_S * NS_PER_S,
        grant_s=300, retry=True, context={"search_path": '"$user", public', "database": "bench"},
    )  # fmt: skip


def measure(gate: Gate, count: int) -> dict[str, dict[str, dict[str, float]]]:
    """Each page so many times, in milliseconds, one after the other."""
    approver, auditor = Browser(gate.url), Browser(gate.url)
    approver.log_in(APPROVER)
    auditor.log_in(AUDITOR)
    inbox = approver.get("/")
    if f"{WAITING:,}" not in inbox and str(WAITING) not in inbox:
        raise SystemExit(f"bench: the inbox does not say that {WAITING} wait")
    found = {
        "inbox": {
            f"{WAITING:,} waiting": _timed(approver, "/", count),
            f"{WAITING:,} waiting, all of them": _timed(approver, "/?all=1", count),
        }
    }
    for page, searches in (("search", SEARCHES), ("sessions", SESSIONS)):
        found[page] = {
            words: _timed(auditor, f"/{page}?{urlencode(asked)}", count) for words, asked in searches.items()
        }
    approver.close()
    auditor.close()
    return found


ROW = ('class="item"', 'class="badge permit"', 'class="badge deny"', 'data-label="Opened"')
"""What each row of one of these pages has once."""


def _timed(browser: Browser, path: str, count: int) -> dict[str, float]:
    times, rows = list[float](), 0
    for round_ in range(-WARM, count):
        begun = time.perf_counter()
        page = browser.get(path)
        took = time.perf_counter() - begun
        problem = page.partition('class="note bad"')[2]
        if problem:
            raise SystemExit(f"bench: {path} was not answered: {problem[:500]}")
        rows = sum(page.count(sign) for sign in ROW)
        if round_ >= 0:
            times.append(took * 1000)
    return {**spread(times), "rows": rows}
