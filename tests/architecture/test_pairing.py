"""Every module has a test file of its own name, in the same place below tests/unit, and every such file its module.

A shell that only a real client and a real server can drive names its integration file instead, with the reason.
"""

from pathlib import Path
from typing import Any

UNIT = {
    "doorward_core": "tests/unit/core",
    "doorward_postgres": "tests/unit/postgres",
    "doorward_ssh": "tests/unit/ssh",
    "doorward_http": "tests/unit/http",
    "doorward_k8s": "tests/unit/k8s",
    "doorward_console": "tests/unit/console",
    "doorward_demo": "tests/unit/demo",
}

# module -> (the file that tests it, why that is not a unit file of its own name).
ELSEWHERE: dict[str, tuple[str, str]] = {
    "doorward_core.errors": ("tests/architecture/test_shape.py", "holds no code: names and docstrings"),
    "doorward_console.access_commands": ("tests/integration/test_access.py", "asks a whole gateway"),
    "doorward_console.break_glass_commands": ("tests/integration/test_access.py", "asks a whole gateway"),
    "doorward_console.revoke_command": ("tests/integration/test_access.py", "asks a whole gateway"),
    **{
        f"doorward_console.web.{name}": (
            "tests/integration/desk/test_what_happened.py",
            "reads the log of a real gateway, asks it what is open, and is looked at in a real browser",
        )
        for name in ("open_sessions", "pages_replay", "pages_sessions")
    },
    "doorward_core.holding": ("tests/unit/core/test_session_gate.py", "the gate's own waiting: only the gate asks it"),
    "doorward_core.http.exchange": (
        "tests/unit/core/http/test_server_h1.py",
        "the promises of a protocol; the two that keep them are tested",
    ),
    "doorward_core.rooms": (
        "tests/integration/test_gateway_process.py",
        "opens real files, a real log and its process",
    ),
    "doorward_core.run": ("tests/integration/test_gateway_process.py", "a process, its signals and its exit status"),
    "doorward_core.terms": (
        "tests/unit/core/test_session_gate.py",
        "holds no code: the gate's words, and what it is given",
    ),
    "doorward_http.__main__": ("tests/integration/http/test_curl.py", "a program, run as an operator runs it"),
    "doorward_http.before": (
        "tests/integration/http/test_again.py",
        "sessions of a gate, and requests of one connection",
    ),
    "doorward_http.doors": (
        "tests/integration/http/test_curl.py",
        "sessions of real connections, as the log tells them",
    ),
    "doorward_http.proxy": ("tests/integration/http/test_curl.py", "the shell: only a real client takes it through"),
    "doorward_http.served": ("tests/integration/http/test_settings.py", "real files, a real target behind TLS"),
    "doorward_http.serving": (
        "tests/integration/http/test_curl.py",
        "the shell: only a real client and target move it",
    ),
    "doorward_http.upgrades": ("tests/integration/http/test_websockets.py", "moves frames between two real peers"),
    "doorward_k8s.__main__": ("tests/integration/k8s/test_kubectl.py", "a program, run as an operator runs it"),
    "doorward_k8s.looks": ("tests/integration/k8s/test_changes.py", "the shell: asks a real server"),
    "doorward_k8s.ports": ("tests/integration/k8s/test_forwards.py", "the shell: asks while a real client waits"),
    "doorward_k8s.proxy": ("tests/integration/k8s/test_kubectl.py", "the shell: only a real client takes it through"),
    "doorward_k8s.serving": ("tests/integration/k8s/test_kubectl.py", "the shell: only real peers move it"),
    "doorward_k8s.streams": ("tests/integration/k8s/test_exec.py", "moves messages between two real peers"),
    "doorward_k8s.upstream": ("tests/integration/k8s/test_access.py", "real files, a real server behind TLS"),
    "doorward_postgres.__main__": (
        "tests/integration/test_gateway_process.py",
        "a program, run as an operator runs it",
    ),
    "doorward_postgres.deciding": (
        "tests/integration/postgres/test_holds_by_client.py",
        "the shell around a decision: only a real client waits for it, and only a real server fails meanwhile",
    ),
    "doorward_postgres.flow": (
        "tests/integration/postgres/test_psycopg.py",
        "the shell that moves bytes: only a real client and a real server move it",
    ),
    "doorward_postgres.repeater": (
        "tests/property/test_postgres_repeat.py",
        "the short way is tested as what it is: the same as the long way",
    ),
    "doorward_postgres.plan": ("tests/unit/postgres/test_results.py", "holds no code: the two protocols between them"),
    "doorward_postgres.proxy": (
        "tests/integration/postgres/test_psycopg.py",
        "the shell from accept to farewell: only a real client and a real server take it through",
    ),
    "doorward_postgres.session": (
        "tests/integration/postgres/test_psycopg.py",
        "the shell around the machine: only a real client and a real server move it",
    ),
    **{
        f"doorward_ssh.{name}": (
            "tests/integration/ssh/test_exec.py",
            "callbacks of asyncssh and the tasks behind them: only a real client and a real server move them",
        )
        for name in (
            "__main__",
            "channels",
            "conversation",
            "proxy",
            "recorder",
            "server",
            "streams",
            "upstream",
        )
    },
    "doorward_ssh.authentication": (
        "tests/integration/ssh/test_login.py",
        "callbacks of asyncssh and the tasks behind them: only a real client logs in",
    ),
    "doorward_ssh.forwards": (
        "tests/integration/ssh/test_forwards.py",
        "waits for a real client, a real target and people",
    ),
    "doorward_ssh.jumps": (
        "tests/integration/ssh/test_jump.py",
        "connections of asyncssh within one another: only a real client opens them",
    ),
    "doorward_ssh.legs": (
        "tests/integration/ssh/test_forwards.py",
        "callbacks of asyncssh, driven by its channels alone",
    ),
    "doorward_ssh.sftp_relay": (
        "tests/integration/ssh/test_files.py",
        "the shell around the machine: only a real client and a real server move it",
    ),
    "doorward_demo.desk": ("tests/integration/test_demo.py", "a program, started and asked as the story does"),
    "doorward_demo.evidence_story": ("tests/integration/test_demo.py", "a part of the story, told whole"),
    "doorward_demo.api_story": ("tests/integration/test_demo.py", "a part of the story, told whole"),
    "doorward_demo.approver": ("tests/integration/test_demo.py", "somebody in the story"),
    **{
        f"doorward_demo.{name}": (
            "tests/integration/k8s/test_cluster.py",
            "a part of an API server: that the real kubectl works with it is all that is asked of it",
        )
        for name in (
            "cluster",
            "cluster_api",
            "cluster_errors",
            "cluster_kinds",
            "cluster_parts",
            "cluster_schema",
            "cluster_streams",
            "cluster_watch",
            "cluster_write",
        )
    },
    "doorward_demo.__main__": ("tests/integration/test_demo.py", "a program, run whole as a person runs it"),
}


def _expected(source: Any, root: Path) -> Path:
    _, *rooms, name = source.module.split(".")
    return root.joinpath(UNIT[source.package], *rooms, f"test_{name.strip('_')}.py")


def _is_code(source: Any) -> bool:
    return bool(source.path.name != "__init__.py")


def test_every_module_has_its_test_file(sources: tuple[Any, ...], root: Path) -> None:
    missing = [
        f"{source.shown} -> {_expected(source, root).relative_to(root)}"
        for source in sources
        if _is_code(source) and source.module not in ELSEWHERE and not _expected(source, root).exists()
    ]
    assert missing == [], "\n".join(missing)


def test_every_unit_test_file_has_its_module(sources: tuple[Any, ...], root: Path) -> None:
    """`test_encode_limits.py` may stand beside `test_encode.py`: a name that starts as a module's does belongs to it."""
    stems = {_expected(source, root).with_suffix("") for source in sources if _is_code(source)}
    orphans = [
        str(path.relative_to(root))
        for path in sorted((root / "tests/unit").rglob("test_*.py"))
        if not any(path.parent == stem.parent and f"{path.stem}_".startswith(f"{stem.name}_") for stem in stems)
    ]
    assert orphans == [], "\n".join(orphans)


def test_every_exception_names_a_module_and_a_test_that_are_there(sources: tuple[Any, ...], root: Path) -> None:
    modules = {source.module: source for source in sources}
    for module, (path, reason) in ELSEWHERE.items():
        assert module in modules, f"{module} is gone"
        assert (root / path).exists(), f"{path} is gone"
        assert reason
        assert not _expected(modules[module], root).exists(), f"{module} has a unit file now"
