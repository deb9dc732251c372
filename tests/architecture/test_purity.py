"""A module parses or awaits, never both: pure is the default, and the shells are the short list below.

A pure module takes bytes and `now` as arguments, so that a test can drive it without a socket or a clock.
A shell that stops needing to be one is struck from the list: the test says so.
"""

import ast
from collections.abc import Iterator
from typing import Any

# Wholly outside the rule: the humans' command and the demonstration, which are programs, and the room of I/O itself.
PROGRAMS = ("doorward_console", "doorward_demo", "doorward_core.net")

# module -> what it does that a pure module may not.
SHELLS = {
    "doorward_core.run": "signals, start and stop",
    "doorward_core.rooms": "opens and closes the rooms: key files, the log, the store",
    "doorward_core.doors": "has the gate admit who asks, and waits for its verdict",
    "doorward_core.keeping": "begins what looks after the log beside writing it",
    "doorward_core.live": "lets watchers and proxies wait",
    "doorward_core.operators": "answers operators on the control port",
    "doorward_core.gate": "waits for who asks to be verified, and for the record",
    "doorward_core.session_gate": "waits for the record, for people and for deadlines",
    "doorward_core.access.register": "sees that the log has it before it acts",
    "doorward_core.access.store": "keeps revocations and openings in a file",
    "doorward_core.asking": "answers on the control port",
    "doorward_core.break_glass": "answers on the control port",
    "doorward_core.revocations": "answers operators on the control port",
    "doorward_core.holding": "waits for the record and for people",
    "doorward_core.config": "reads the operator's files",
    "doorward_core.approvals.api": "answers approvers on the control port",
    "doorward_core.approvals.changes": "lets approvers wait for changes",
    "doorward_core.approvals.counters": "keeps the counters of passkeys in SQLite",
    "doorward_core.approvals.desk": "waits for votes",
    "doorward_core.approvals.notify_send": "sends notifications",
    "doorward_core.approvals.store": "keeps requests and votes in SQLite",
    "doorward_core.telling": "makes the notifier of secrets and the log",
    "doorward_core.http.deadlines": "keeps deadlines by the clock",
    "doorward_core.http.dial": "opens connections to targets",
    "doorward_core.http.exchange": "what a handler waits on",
    "doorward_core.http.relay": "carries a response as it comes",
    "doorward_core.http.server": "a client's connection, from its first byte",
    "doorward_core.http.server_h1": "one HTTP/1.1 connection of a client",
    "doorward_core.http.server_h2": "one HTTP/2 connection of a client",
    "doorward_core.http.server_h2_stream": "one HTTP/2 stream of a client",
    "doorward_core.http.upstream": "keeps connections to targets",
    "doorward_core.http.upstream_h1": "one HTTP/1.1 connection to a target",
    "doorward_core.http.upstream_h2": "one HTTP/2 connection to a target",
    "doorward_core.identity.authenticate": "asks the key cache, counts failures by the clock",
    "doorward_core.identity.jwks": "fetches keys",
    "doorward_core.policy.load": "reads the policy's files",
    "doorward_core.record.archive": "reads the log's files, and has an archive take them",
    "doorward_core.record.archive_places": "reads and writes folders and object stores",
    "doorward_core.record.archiving": "keeps the archive up to date beside the log",
    "doorward_core.record.space": "asks the kernel for room on the disks",
    "doorward_core.record.archive_source": "reads an archive",
    "doorward_core.record.restore": "writes a log's files from its archive",
    "doorward_core.record.erasure": "reads and deletes key files",
    "doorward_core.erasing": "answers on the control port, and waits for the log",
    "doorward_core.approvals.wipe": "deletes from the approvals store",
    "doorward_core.record.bundles": "reads the log's files, several at a time",
    "doorward_core.record.engine": "the writer's work: owns the log's files",
    "doorward_core.record.journal": "writes and flushes files",
    "doorward_core.record.keys": "reads and writes key files",
    "doorward_core.record.memory": "stands in for the log in tests: awaited as the log is",
    "doorward_core.record.process": "the writer's own process",
    "doorward_core.record.publish": "writes tiles and checkpoints",
    "doorward_core.record.reader": "reads the log's files",
    "doorward_core.record.recover": "repairs what a crash left",
    "doorward_core.readiness": "looks at the listeners and the gate",
    "doorward_core.record.settle": "flushes files, in a process of its own",
    "doorward_core.record.sources": "reads the log's files",
    "doorward_core.record.rotation": "opens a stopped log's files",
    "doorward_core.record.tile_audit": "reads the log's files",
    "doorward_core.record.tree_files": "reads the log's files",
    "doorward_core.record.tile_hashes": "reads the log's files",
    "doorward_core.record.verify": "reads the log's files",
    "doorward_core.record.witness_server": "a witness's process: its port, its files",
    "doorward_core.record.witness_settings": "reads the operator's file",
    "doorward_core.record.witnessing": "asks witnesses, reads the clock",
    "doorward_core.record.writer": "feeds the writer's process",
    "doorward_http.__main__": "starts the process",
    "doorward_http.before": "keeps what a connection asked last",
    "doorward_http.credentials": "asks for access tokens",
    "doorward_http.doors": "keeps what a session's targets are told",
    "doorward_http.proxy": "the trio shell: from a connection to its requests",
    "doorward_http.reading": "reads the description that a configuration names",
    "doorward_http.served": "makes what requests are served with of files and settings",
    "doorward_http.serving": "the trio shell: one request",
    "doorward_http.upgrades": "the trio shell: one WebSocket",
    "doorward_k8s.__main__": "starts the process",
    "doorward_k8s.ports": "the trio shell: the ports of one tunnel",
    "doorward_k8s.looks": "the trio shell: what is asked about a write",
    "doorward_k8s.proxy": "the trio shell: from a connection to its calls",
    "doorward_k8s.serving": "the trio shell: one call",
    "doorward_k8s.streams": "the trio shell: one stream",
    "doorward_k8s.upstream": "makes what calls are served with of files and settings",
    "doorward_postgres.__main__": "starts the process",
    "doorward_postgres.cancel": "draws random keys",
    "doorward_postgres.catalogue": "keeps the target's catalogue fresh",
    "doorward_postgres.deciding": "waits for decisions, people and the target",
    "doorward_postgres.flow": "moves a session's bytes: waits for links and for the record",
    "doorward_postgres.previews": "the trio shell: what is asked about a held statement",
    "doorward_postgres.proxy": "the trio shell: from accept to session",
    "doorward_postgres.repeater": "draws the ids of operations",
    "doorward_postgres.session": "the trio shell: one admitted connection",
    "doorward_postgres.settings": "makes what the upstream dials",
    "doorward_postgres.upstream": "dials and logs in",
    "doorward_postgres.upstream_ask": "asks the target a question of our own",
    "doorward_ssh.sftp_relay": "asks the gate about files, and tells the machine the time",
    "doorward_ssh.__main__": "starts the process",
    "doorward_ssh.authentication": "waits for the gate",
    "doorward_ssh.channels": "waits for decisions, people and the target",
    "doorward_ssh.conversation": "the trio task of one connection",
    "doorward_ssh.ends": "asyncssh's session callbacks",
    "doorward_ssh.forwards": "waits for decisions, people and the target",
    "doorward_ssh.hostkeys": "reads the host key's file, draws serial numbers",
    "doorward_ssh.idle": "lets time pass",
    "doorward_ssh.inside": "asyncssh's connections",
    "doorward_ssh.inside_packets": "asyncssh's packets, sent when their loop says",
    "doorward_ssh.jumps": "the trio tasks of connections that another one carries",
    "doorward_ssh.loops": "runs trio as asyncio's guest",
    "doorward_ssh.proxy": "makes what connections need",
    "doorward_ssh.recorder": "reads the clock, waits for the log",
    "doorward_ssh.server": "asyncssh's login callbacks",
    "doorward_ssh.settings": "checks that files are there, as configuration does",
    "doorward_ssh.streams": "sets timers",
    "doorward_ssh.upstream": "dials and logs in",
    "doorward_ssh.certificates": "answers on the control port, and draws serial numbers",
}

IMPURE_MODULES = {
    "anyio", "asyncio", "concurrent", "h11", "httpx2", "multiprocessing", "pg8000", "random", "sched", "secrets",
    "select", "selectors", "signal", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "tempfile",
    "threading", "time", "trio",
}  # fmt: skip
IMPURE_CALLS = {"open", "input", "print"}
IMPURE_ATTRIBUTES = {
    ("os", "urandom"), ("os", "getenv"), ("os", "environ"), ("os", "open"), ("uuid", "uuid4"), ("uuid", "uuid1"),
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"),
}  # fmt: skip
IMPURE_METHODS = {"iterdir", "read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "unlink"}


def _imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Give (line, dotted name) of each import, but for those that only a type checker follows."""
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _is_shell(module: str) -> bool:
    return module in SHELLS or any(module == name or module.startswith(f"{name}.") for name in PROGRAMS)


def _is_declaration(node: ast.AsyncFunctionDef) -> bool:
    """Whether it only says what somebody else does, as the methods of a Protocol do."""
    return all(isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) for part in node.body)


def _impurity(node: ast.AST) -> str:
    if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
        return "waits"
    if isinstance(node, ast.AsyncFunctionDef) and not _is_declaration(node):
        return "waits"
    if isinstance(node, ast.Attribute):
        if isinstance(node.value, ast.Name) and (node.value.id, node.attr) in IMPURE_ATTRIBUTES:
            return f"uses {node.value.id}.{node.attr}"
        if node.attr in IMPURE_METHODS:
            return f"uses .{node.attr}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
        return f"calls {node.func.id}()"
    return ""


def _impurities(tree: ast.Module) -> list[tuple[int, str]]:
    found = [(line, f"imports {name}") for line, name in _imported(tree) if name.split(".")[0] in IMPURE_MODULES]
    found += [(line, f"imports the shell {name}") for line, name in _imported(tree) if _is_shell(name)]
    found += [(getattr(node, "lineno", 0), what) for node in ast.walk(tree) if (what := _impurity(node))]
    return sorted(set(found))


def test_every_module_is_pure_but_for_the_listed_shells(sources: tuple[Any, ...]) -> None:
    faults = [
        f"{source.shown}:{line}: {what}"
        for source in sources
        if not _is_shell(source.module)
        for line, what in _impurities(source.tree)
    ]
    assert not faults, "pure modules take bytes and now as arguments:\n" + "\n".join(faults)


def test_the_list_of_shells_is_no_longer_than_it_must_be(sources: tuple[Any, ...]) -> None:
    by_module = {source.module: source for source in sources}
    gone = sorted(set(SHELLS) - set(by_module))
    pure = sorted(module for module in SHELLS if module in by_module and not _impurities(by_module[module].tree))
    assert not gone, f"listed as shells, and not there: {gone}"
    assert not pure, f"listed as shells, and pure: {pure}"


def test_the_rule_can_fail() -> None:
    fouls = (
        "import trio",
        "def f():\n    from time import monotonic",
        "import os\nos.urandom(16)",
        "async def f():\n    return 1",
        "from doorward_core.record import writer",
        "from pathlib import Path\nPath('x').read_bytes()",
    )
    assert all(_impurities(ast.parse(text)) for text in fouls)
    assert not _impurities(ast.parse("if TYPE_CHECKING:\n    import trio\nasync def f(): ..."))
