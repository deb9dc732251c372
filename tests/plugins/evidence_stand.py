"""Logs for the tests of evidence: small ones with one of everything, made by the log's own writer, at given times."""

import contextlib
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_console.evidence import verify as standalone
from doorward_console.evidence.container import Container, canonical
from doorward_console.evidence.source import Source
from doorward_console.evidence.write import Wanted, write_bundle
from doorward_core.record import checkpoint, keys, merkle
from doorward_core.record.encode import encode
from doorward_core.record.engine import Engine, Settings

NOW = 1_800_000_000_000_000_000
S = 1_000_000_000
ORIGIN = "gateway.example/a"
VERIFY = Path(standalone.__file__)
HOSTILE = "SELECT '<script>alert(1)</script>' \u202e -- \x1b]52;c;AAAA\x07 \u200bx"
POLICY = bytes(range(32))


def ident(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()[:16]


class Stand:
    """A log that grows by what a test tells it to."""

    def __init__(self, root: Path, origin: str = ORIGIN, recipients: tuple[str, ...] = ()) -> None:
        self.root, self.folder, self.origin, self.now = root, root / "log", origin, NOW
        self.settings = Settings(self.folder, origin, root / "keys" / "log.key", root / "keys" / "payload", recipients)
        self.engine = Engine(self.settings)
        self.engine.open(self.now)
        self.places: dict[str, int] = {}

    @property
    def vkey(self) -> str:
        return (self.root / "keys" / "log.vkey").read_text().strip()

    def add(self, kind: str, head: dict, body: dict | None = None, session: bytes = b"", op: bytes = b"") -> int:
        self.now += 1_000_000
        index = self.engine.size
        packed = encode(body) if body else b""
        self.engine.add(index, self.now, kind, session, op, head=encode(head), body=packed)
        self.places[kind] = index
        return index

    def wait(self, seconds: float) -> int:
        self.now += int(seconds * S)
        return self.now

    def done(self) -> "Stand":
        self.engine.checkpoint()
        return self

    def close(self) -> "Stand":
        self.engine.close(self.now)
        return self

    def source(self) -> Source:
        return Source.of(self.folder, self.settings.keys)

    # --- things that happen -------------------------------------------------------------------------------------------

    def policy(self, text: str = "version: 1\n", digest: bytes = POLICY) -> int:
        return self.add("policy.loaded", {"policy": digest}, {"texts": {"policy.yaml": text, "extra/site.yaml": "x"}})

    def session(self, number: int, subject: str, resource: str = "shop", **more) -> bytes:
        session = ident(number)
        head = {
            **who(subject), "resource": resource, "account": "app", "protocol": "postgres", "groups": ["crew"],
            "method": "jwt", "peer": "192.0.2.7", "encrypted": True, "observe": False, "read_only": False,
            "policy": POLICY, "origin": self.origin, **more,
        }  # fmt: skip
        self.add("session.opened", head, {"software": "psql 15", "display": "A <b>name</b>"}, session)
        return session

    def operation(
        self, session: bytes, subject: str, number: int, text: str = "SELECT 1", resource: str = "shop", **more
    ) -> bytes:
        op = ident(1000 + number)
        head = {
            **who(subject), "resource": resource, "account": "app", "seq": number, "action": "read", "verb": "SELECT",
            "complete": True, "in_transaction": False, "unseen": [], "verdict": "permit", "reason": "rule",
            "rules": ["reads"], "policy": POLICY, "observed": "", "request": "", **more,
        }  # fmt: skip
        self.add("operation.decided", head, {"text": text, "parameters": ["x", None], "atoms": []}, session, op)
        return op

    def finished(self, session: bytes, subject: str, op: bytes, resource: str = "shop", **more) -> int:
        head = {
            **who(subject), "resource": resource, "seq": 1, "status": "ok", "code": "", "rows": 3, "bytes_up": 5,
            "bytes_down": 50, "masked": {"email": 2}, "duration_ns": 1_000_000, "decided": 1, **more,
        }  # fmt: skip
        return self.add("operation.finished", head, {"columns": ["a"], "shown": b"", "shown_format": ""}, session, op)

    def approval(
        self,
        session: bytes,
        op: bytes,
        asker: str,
        *,
        approver: str,
        request: str,
        verdict: str = "approve",
        retry: bool | None = None,
    ) -> None:
        about = {
            **who(asker),
            "request": request,
            "resource": "shop",
            "account": "app",
            "verb": "DELETE",
            "rules": ["r"],
        }
        self.add(
            "operation.held",
            {**about, "action": "write", "verdict": "hold", "reason": "rule", "approvals": [], "policy": POLICY},
            {"text": HOSTILE, "parameters": [], "card": b"{}"}, session, op,
        )  # fmt: skip
        vote = {
            "approver": approver,
            "approver_issuer": "https://idp",
            "approver_principal": "human",
            "proof": "sshsig",
            **({} if retry is None else {"retry": retry}),
        }
        self.add(
            "approval.voted", {**about, **vote, "verdict": verdict, "counted": True, "reason": ""},
            {"reason": "fine <i>by</i> me", "statement": b"s", "proof": b"p"}, session, op,
        )  # fmt: skip
        ending = "granted" if verdict == "approve" else "rejected"
        self.add(
            f"approval.{ending}", {**about, "approvers": [f"https://idp#{approver}"], "reason": ""}, None, session, op
        )

    def closed(self, session: bytes, subject: str, resource: str = "shop", coverage: tuple[str, ...] = ()) -> int:
        head = {
            **who(subject), "resource": resource, "account": "app", "reason": "client", "totals": {"permitted": 1},
            "coverage": list(coverage), "duration_ns": 5 * S,
        }  # fmt: skip
        return self.add("session.closed", head, None, session)

    def terminal(self, number: int, subject: str, pieces: tuple[bytes, ...]) -> bytes:
        session = self.session(number, subject, "host", protocol="ssh")
        op = self.operation(session, subject, 5000 + number, "", "host", verb="shell", action="execute")
        self.add("stream.chunk", {"stream": "resize", "offset": 0}, {"data": b"80x24"}, session, op)
        at = 0
        for piece in pieces:
            self.add("stream.chunk", {"stream": "stdout", "offset": at}, {"data": piece}, session, op)
            at += len(piece)
        self.finished(session, subject, op, "host", code="0")
        self.closed(session, subject, "host", ("the terminal's input is not recorded",))
        return session


def who(subject: str) -> dict:
    agent = subject.startswith("crew")
    return {
        "subject": subject, "issuer": "https://idp", "principal": "agent" if agent else "human",
        "sponsor": "maria" if subject == "crew-1" else "", "act": [],
    }  # fmt: skip


def story(stand: Stand) -> Stand:
    """One of most things."""
    stand.policy()
    first = stand.session(1, "crew-1")
    second = stand.session(2, "crew-2", "ledger", encrypted=False, observe=True)
    for number in range(3):
        op = stand.operation(first, "crew-1", number, HOSTILE)
        stand.finished(first, "crew-1", op)
    stand.operation(second, "crew-2", 10, "DROP TABLE x", "ledger", verdict="deny", action="define", verb="DROP")
    held = ident(77)
    stand.approval(first, held, "crew-1", approver="anna", request="req-1")
    stand.add(
        "operation.decided",
        {**who("crew-1"), "resource": "shop", "action": "write", "verb": "DELETE", "verdict": "permit", "reason": "rule",
         "complete": True, "rules": ["changes"], "request": "req-1", "policy": POLICY, "observed": "", "unseen": []},
        {"text": HOSTILE}, first, held,
    )  # fmt: skip
    stand.add("session.refused", {"peer": "192.0.2.9", "encrypted": True, "reason": "expired"}, {"resource": "shop"})
    stand.terminal(3, "berta", (b"$ ls\r\n", "caf\u00e9".encode()[:4], "caf\u00e9".encode()[4:] + b"\x1b[31m red\r\n"))
    stand.add("gateway.error", {"what": "the target went away"})
    stand.closed(second, "crew-2", "ledger", ("nothing was enforced: observe mode",))
    stand.closed(first, "crew-1")
    return stand


def bundle(stand: Stand | list[Stand], path: Path, begin: int = 0, end: int = 1 << 62, *, now: int = NOW, **wanted):
    stands = stand if isinstance(stand, list) else [stand]
    return write_bundle(path, [one.source() for one in stands], Wanted(begin, end, **wanted), now_unix_ns=now)


def check(path: Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """verify.py as an auditor runs it: alone, isolated."""
    command = [python, "-I", "-S", str(VERIFY), str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def unpacked(path: Path) -> dict[str, bytes]:
    """Members of a bundle, as any program for ZIP files reads them."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sealed_again(members: dict[str, bytes], path: Path) -> Path:
    """A bundle of these members, as whoever knows the format makes it: manifest and digest are right."""
    with Container(path) as container:
        for name, data in members.items():
            if name != "manifest.json":
                container.add(name, data)
    return path


def said(path: Path, *arguments: str) -> tuple[int, str]:
    """Status and words of verify.py, run in this process."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = standalone.main([str(path), *arguments])
    return status, out.getvalue()


def records(data: bytes) -> list[bytes]:
    """Entries of a member, none of them withheld."""
    found, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        found.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    return found


def joined(entries: list[bytes]) -> bytes:
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


LOG = "logs/gateway.example~2fa"


def signer(stand: Stand) -> Ed25519PrivateKey:
    return keys.signing_key(stand.settings.signer, stand.origin)[0]


def forged(members: dict[str, bytes], entries: list[bytes], key: Ed25519PrivateKey) -> dict[str, bytes]:
    """The bundle of a whole log, remade over other entries by somebody who has a key: every hash is right."""
    about = json.loads(members[f"{LOG}/log.json"])
    size = len(entries)
    about |= {"size": size, "runs": [[0, size]], "period": [0, size], "gaps": []}
    root = merkle.root([merkle.leaf_hash(entry) for entry in entries])
    kept = {name: data for name, data in members.items() if "/entries/" not in name}
    return kept | {
        f"{LOG}/log.json": canonical(about),
        f"{LOG}/checkpoint": checkpoint.sign(checkpoint.Checkpoint(about["origin"], size, root), key),
        f"{LOG}/entries/000000": joined(entries),
    }


def entries_of(members: dict[str, bytes]) -> list[bytes]:
    return [entry for name in sorted(members) if f"{LOG}/entries/" in name for entry in records(members[name])]


class InMemory:
    """Members as verify.py reads them, without a container: for the many ways in which a log can be bad."""

    def __init__(self, members: dict[str, bytes]) -> None:
        self.members = members

    def read(self, name: str) -> bytes:
        if name not in self.members:
            raise standalone.Refused(f"{name} is missing")
        return self.members[name]

    def under(self, folder: str) -> list[str]:
        return sorted(name for name in self.members if name.startswith(folder))

    def json(self, name: str):
        return json.loads(self.read(name))


def problems(members: dict[str, bytes], *arguments: str, signatures: bool = True) -> list[str]:
    """What verify.py says of the logs, their keys and figures in these members."""
    check = standalone.Check(InMemory(members), standalone.arguments(["x", "--quiet", *arguments]))
    for step in (check._report_read, check._logs, *([check._signatures, check._figures] if signatures else [])):
        try:
            step()
        except standalone.Refused as error:
            return [*check.problems, str(error)]
    return check.problems
