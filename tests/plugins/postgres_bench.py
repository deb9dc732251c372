"""Both halves of the PostgreSQL machine on one line, without a gate and without sockets: what is sent is looked at."""

from dataclasses import dataclass

from doorward_core.model import Action, Atom, Decision, Effect, Operation, Permit, ReasonCode, Target
from doorward_core.sql.analysis import StatementAnalysis
from doorward_postgres import wire_encode as enc
from doorward_postgres.machine import Machine, Phase, Question
from doorward_postgres.machine_line import Line
from doorward_postgres.machine_replies import Replies
from doorward_postgres.results import Clear
from doorward_postgres.state import SessionState
from doorward_postgres.wire_decode import Bind, Field, Parse

REFUSED = enc.encode_error_response("ERROR", "42501", "refused")
SERVER_ERROR = enc.encode_error_response("ERROR", "34000", "no such portal")
FIELDS = (Field("id", 1, 1, 23, 4, -1, 0),)
ROW = enc.encode_data_row([b"1"])
MARKER = "doorward_x"


def permit(entry=0, action=Action.READ):
    atoms = (Atom(action, Target("relation", "public.t")),)
    operation = Operation(b"o" * 16, 1, action, "SELECT", atoms, "select", b"d" * 32)
    return Permit(operation, Decision(Effect.PERMIT, ReasonCode.RULE, "", b"p" * 32), entry, 2**62)


def analysis(effect=None, copy=None, *, touches_masked=False):
    return StatementAnalysis(
        verb="SELECT", atoms=(), complete=True, problem="", pure=True, effect=effect, reads=frozenset(),
        touches_masked=touches_masked, outputs=None, returns_rows=True, copy=copy,
    )  # fmt: skip


@dataclass
class Plan:
    """A plan that owes nothing, unless a test says otherwise."""

    analyses: tuple = ()
    needs_fields: bool = False

    @property
    def copies_in(self):
        return any(one.copy is not None and one.copy.end == "stdin" for one in self.analyses)

    def rows(self, index, fields):
        return Clear()

    def copy_out(self, index, response):
        return Clear()

    def diagnostic(self, index, frame):
        return frame


class Ambient:
    """What belongs to no statement passes as it is."""

    def diagnostic(self, frame):
        return frame

    def notification(self, frame):
        return frame


class Bench:
    """One connection with both halves of the machine and nothing else."""

    def __init__(self, state=None, ambient=None, **bounds):
        self.line = Line(state or SessionState("public", "app"), MARKER)
        self.machine = Machine(self.line, **bounds)
        self.replies = Replies(self.line, ambient or Ambient(), **bounds)

    def client(self, *frames):
        self.machine.receive(b"".join(frames))
        return self.machine.step()

    def allow(self, question, plan=None, **how):
        self.machine.permit(question, permit(**how), plan or Plan((analysis(),)), 0)
        return self.machine.step()

    def refuse(self, question):
        parts = (Phase.PARSE, Phase.BIND)
        refuse = self.machine.refuse if question.phase in parts else self.machine.refuse_query
        refuse(REFUSED)
        return self.machine.step()

    def allow_all(self, step, plan=None):
        """Permit whatever is asked until the machine waits; give the texts that were decided on, and the last step."""
        texts = []
        while isinstance(step, Question):
            texts.append(step.text)
            step = self.allow(step, plan)
        return texts, step

    def server(self, *frames):
        self.replies.receive(b"".join(frames), 0)
        return self.machine.step() if self.machine.settled else None

    def sent(self):
        out = b"".join(self.line.to_server)
        self.line.to_server = []
        return out

    def shown(self):
        out = b"".join(self.line.to_client)
        self.line.to_client = []
        return out


def parse(name="", text=b"select 1"):
    return enc.encode_parse(Parse(name, text, ()))


def bind(portal="", statement="", **more):
    return enc.encode_bind(Bind(portal, statement, (), more.get("params", ()), more.get("formats", ())))


def done(tag="SELECT 1", status="I"):
    return enc.encode_command_complete(tag) + enc.encode_ready_for_query(status)
