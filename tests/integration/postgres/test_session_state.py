"""What is tracked of a session, held against the server that holds it: any mix of statements, cut into any messages.

The server is one that does not report search_path, so that nothing but the tracking itself says what it is.
"""

import os
import socket

import pg8000.native
import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from postgres_bench import Bench, Plan, bind, permit

from doorward_core.sql.analysis import Context
from doorward_core.sql.analyze import analyze
from doorward_core.sql.catalog_load import load_catalog
from doorward_core.sql.names import split_path
from doorward_core.sql.parse import parse
from doorward_postgres import wire_encode as enc
from doorward_postgres.machine import Question
from doorward_postgres.state import SessionState
from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import Parse, decode_data_row

pytestmark = pytest.mark.need_postgres

DEFAULT = '"$user", public'
STATEMENTS = (
    "set search_path to a",
    "set search_path to b",
    "set local search_path to c",
    "select set_config('search_path', 'd', false)",
    "select set_config('search_path', 'e', true)",
    "reset search_path",
    "set search_path to default",
    "reset all",
    "discard all",
    "begin",
    "start transaction",
    "commit",
    "rollback",
    "commit and chain",
    "rollback and chain",
    "savepoint s",
    "savepoint t",
    "rollback to s",
    "rollback to t",
    "release s",
    "set role clear",
    "set local role md5",
    "reset role",
    "declare k cursor for select 1",
    "declare k cursor for select 2",
    "declare h cursor with hold for select 3",
    "declare h cursor with hold for select 4",
    "close k",
    "close all",
    "prepare p as select 5",
    "prepare p as select 6",
    "deallocate p",
    "deallocate all",
    "select 1",
    "select 1/0",
)


class Session:
    """A bench whose server is a real one; everything that is asked is permitted."""

    def __init__(self, server, catalog):
        self._login = psycopg.connect(f"host={server.sockets} port={server.port} user=postgres", autocommit=True)
        self._socket = socket.socket(fileno=os.dup(self._login.pgconn.socket))
        self._socket.setblocking(True)
        self._catalog = catalog
        self.bench = Bench()

    def restart(self):
        """The same server session, as good as new."""
        self.bench = Bench(SessionState(DEFAULT, "postgres"))
        self.query("rollback")
        self.query("discard all")
        self.bench = Bench(SessionState(DEFAULT, "postgres"))

    def close(self):
        self._socket.close()
        self._login.close()

    @property
    def state(self):
        return self.bench.line.state

    def query(self, *texts):
        """Send the statements as one simple Query, or as a pipeline where there are several texts."""
        self.exchange(enc.encode_query("; ".join(texts)))

    def pipeline(self, *texts):
        parts = [enc.encode_parse(Parse("", text.encode(), ())) + bind() + enc.encode_execute() for text in texts]
        self.exchange(b"".join(parts) + enc.SYNC)

    def exchange(self, frames):
        bench = self.bench
        bench.machine.receive(frames)
        step = bench.machine.step()
        while True:
            if isinstance(step, Question):
                bench.machine.permit(step, permit(), self._plan(step.text), 0)
                step = bench.machine.step()
                continue
            out = bench.sent()
            if out:
                self._socket.sendall(out)
            if not bench.line.expected:
                return
            while True:
                bench.replies.receive(self._socket.recv(65536), 0)
                if bench.machine.settled:
                    break
            step = bench.machine.step()

    def ask(self, text):
        """A question to the server past the bench, which must be at rest; None in a failed transaction."""
        self._socket.sendall(enc.encode_query(text))
        data, rows, at = b"", [], 0
        while True:
            data += self._socket.recv(65536)
            while len(data) - at >= 5 and len(data) - at > int.from_bytes(data[at + 1 : at + 5]):
                end = at + 1 + int.from_bytes(data[at + 1 : at + 5])
                if data[at] == Backend.DataRow:
                    rows.append(tuple(cell.decode() for cell in decode_data_row(data[at + 5 : end])))
                if data[at] == Backend.ReadyForQuery:
                    return rows
                at = end

    def _plan(self, text):
        path = self.state.path_elements()
        prepared = {name: thing.text for name, thing in self.bench.line.prepared.entries.items()}
        return Plan(analyze(parse(text), Context(self._catalog, path, prepared=prepared)))


@pytest.fixture(scope="module")
def session(tls_server):
    catalog = load_catalog(
        lambda: pg8000.native.Connection("postgres", unix_sock=f"{tls_server.sockets}/.s.PGSQL.{tls_server.port}")
    )
    made = Session(tls_server, catalog)
    assert made._login.pgconn.parameter_status(b"search_path") is None
    yield made
    made.close()


messages = st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=4)), max_size=6)


@settings(deadline=None, max_examples=300)
@given(script=messages)
@example(script=[(False, ["set search_path to a", "begin", "rollback"])])
@example(script=[(False, ["set search_path to a", "rollback"])])
@example(script=[(True, ["set search_path to a", "begin"]), (False, ["rollback"])])
@example(script=[(True, ["set search_path to a", "rollback"])])
@example(script=[(False, ["set search_path to a", "commit", "begin", "rollback"])])
def test_the_tracked_state_is_the_servers(session, script):
    session.restart()
    for pipelined, texts in script:
        send = session.pipeline if pipelined else session.query
        send(*texts)
        if session.state.status == "E":
            continue
        ((path,),) = session.ask("show search_path")
        assert split_path(session.state.search_path) == split_path(path), (script, texts)
        ((role,),) = session.ask("select current_setting('role')")
        assert (session.state.role or "none") == role
        held = dict(session.ask("select name, statement from pg_cursors"))
        for name, text in session.state.cursors.items():
            if name in held:
                assert text in held[name]
        known = dict(session.ask("select name, statement from pg_prepared_statements"))
        for name, thing in session.bench.line.prepared.entries.items():
            if name in known:
                assert thing.text in known[name]
