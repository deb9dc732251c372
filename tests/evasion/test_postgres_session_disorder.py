"""Rows PG-08, PG-26, PG-27, PG-41, PG-42 and PG-44 of the attack corpus by force: messages in every disorder.

Small sets of names and of statements, each harmless or not depending on what a name means at that moment, are sent in
seeded random order, in one piece, past every Sync. Whatever the order: no masked value is answered, nothing held is
run, and the session answers in the end or is closed.
"""

import random
import threading

import pytest
from raw_client import RawClient, bound

from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import Parse
from doorward_postgres.wire_encode import (
    COPY_DONE,
    FLUSH,
    SYNC,
    encode_close,
    encode_describe,
    encode_execute,
    encode_parse,
    encode_query,
)

pytestmark = pytest.mark.need_embedded_postgres

SEEDS = 8  # of SESSIONS each: some seconds; each seed is the same sessions every time
SESSIONS = 12
MESSAGES = 25
NAMES = ("", "p", "c")
LOOT = "select email || '' as a from customer"
DECOY = "select 'x' as a"
TEXTS = (
    LOOT, DECOY, "select email as a from customer", "select country as a from customer", "select name as a from customer",
    "set search_path to attic", "set search_path to public", "set local search_path to attic", "reset search_path",
    "begin", "commit", "rollback", "savepoint s", "rollback to s", "release s", "commit and chain", "rollback and chain",
    f"declare c cursor for {LOOT}", f"declare c cursor for {DECOY}", f"declare c cursor with hold for {LOOT}",
    f"declare p cursor with hold for {DECOY}", "fetch 2 from c", "fetch 2 from p", "move 1 from c", "close c", "close all",
    f"prepare p as {LOOT}", f"prepare p as {DECOY}", "prepare p as delete from audit", "execute p", "explain execute p",
    "prepare c as select email || '' as a from attic.customer", "execute c", "deallocate p", "deallocate all",
    "discard all", "select 1/0", "delete from audit", "drop table audit", "selec", "", ";;",
    f"copy ({LOOT}) to stdout", "copy audit (what) from stdin", f"begin; declare c cursor for {DECOY}",
    f"set local search_path to attic; {LOOT}; commit; {LOOT}", f"{DECOY}; {LOOT}", f"close c; declare c cursor for {DECOY}",
)  # fmt: skip

# Statements whose meaning hangs on each other.
THEMES = (
    ("begin", "begin", f"declare c cursor for {DECOY}", "fetch 2 from c", "fetch 2 from c", "commit"),
    (
        "begin",
        f"declare c cursor for {LOOT}",
        "set search_path to attic",
        "set search_path to public",
        "fetch 2 from c",
    ),
    ("prepare p as delete from audit", "execute p", "execute p", DECOY),
    ("set local search_path to attic", "begin", "commit", "rollback", "savepoint s", "rollback to s"),
    (f"declare p cursor with hold for {DECOY}", "fetch 2 from p", "begin", "begin", "rollback"),
    ("delete from audit", DECOY, "execute p", "execute p", "deallocate p"),
)


def world(draw):
    """The few names and statements of one session: so few that they meet each other."""
    names = draw.sample(NAMES, draw.choice((1, 1, 2)))
    texts = [LOOT, DECOY, *draw.sample(TEXTS, 4), *draw.choice(THEMES)]
    return names, texts


def message(draw, names, texts):
    """One message, drawn from the small world of its session."""
    name, portal, text = draw.choice(names), draw.choice(names), draw.choice(texts).encode()
    unnamed = draw.choice(texts).encode()
    return draw.choice(
        (
            lambda: encode_query(text),
            lambda: encode_query(text),
            lambda: encode_parse(Parse(name, text, ())),
            lambda: encode_parse(Parse("", unnamed, ())) + bound() + encode_execute(),
            lambda: encode_parse(Parse("", unnamed, ())) + bound(portal=portal) + SYNC,
            lambda: encode_parse(Parse(name, text, ())) + bound(name=name, portal=portal) + encode_execute(portal),
            lambda: bound(name=name, portal=portal, results=draw.choice(((), (0,), (1,)))),
            lambda: bound(name=name, portal=portal) + encode_execute(portal, draw.choice((0, 0, 1, 2))),
            lambda: encode_execute(portal, draw.choice((0, 1, 2))),
            lambda: encode_describe("P", portal) + encode_describe("S", name),
            lambda: encode_close("P", portal) + SYNC,
            lambda: encode_close("S", name),
            lambda: SYNC,
            lambda: SYNC,
            lambda: FLUSH,
        )
    )()


@pytest.fixture
def nobody_agrees(fortress):
    """Whatever is held is rejected as soon as it waits."""
    over = threading.Event()

    def reject():
        while not over.wait(0.02):
            for request in fortress.gateway.waiting(0):
                fortress.gateway.vote(request["id"], "reject")

    thread = threading.Thread(target=reject)
    thread.start()
    yield
    over.set()
    thread.join()


def in_disorder(fortress, seed):
    """One session; what it was answered, and whether it was still served at the end."""
    draw = random.Random(seed)
    client = RawClient.login(fortress.gateway)
    names, texts = world(draw)
    frames = [message(draw, names, texts) for _ in range(MESSAGES)]
    size = draw.choice((1, 2, 5, MESSAGES))
    pieces = [b"".join(frames[start : start + size]) for start in range(0, MESSAGES, size)]
    # However it stands in the end: a COPY is ended, a batch closed, and a question asked that only the living answer.
    last = COPY_DONE + SYNC + COPY_DONE + SYNC + encode_query("rollback") + encode_query("select 'the' || ' end' as z")
    sender = threading.Thread(target=_send, args=(client, [*pieces, last]))
    sender.start()
    said = bytearray()
    served = False
    while (one := client.read()) is not None:
        said += one.body + b"\n"
        if one.kind == Backend.DataRow and b"the end" in one.body:
            served = True
            break
    sender.join()
    client.close()
    fortress.gateway.clients.remove(client)
    return bytes(said), served


def _send(client, pieces):
    try:
        for piece in pieces:
            client.send(piece)
    except OSError:
        return  # it was closed on us


@pytest.mark.usefixtures("nobody_agrees")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_pg_08_26_27_41_42_44_no_disorder_of_messages_tells_or_runs_anything(fortress, seed):
    fortress.truth("truncate audit")
    fortress.truth("insert into audit (what) values ('stays')")
    for session in range(SESSIONS):
        name = f"{seed}/{session}"
        said, served = in_disorder(fortress, name)
        assert not [value for value in fortress.values if value in said], name
        assert served or b"08P01" in said, (name, said[-300:])
        assert fortress.truth("select count(*) from audit where what = 'stays'") == [(1,)], name
