"""Locks hold versions and hashes and no addresses, and everything that ships agrees with the workspace's one lock."""

import re
from pathlib import Path

import pytest

LOCKS = (
    "requirements.lock",
    ".ci/build.lock",
    "core/requirements.lock",
    "proxies/postgres/requirements.lock",
    "proxies/ssh/requirements.lock",
    "proxies/http/requirements.lock",
    "proxies/k8s/requirements.lock",
    "console/requirements.lock",
)
# Examples, what the bench compares with, and what checks us from outside have environments of their own, which need not
# agree with the workspace.
APART = (
    "examples/crewai/requirements.lock",
    "bench/mitmproxy/requirements.lock",
    ".ci/clients.lock",
    ".ci/tlog.lock",
)
PINNED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;]+)(?: ;[^\\]*)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def _pins(text: str) -> dict[str, str]:
    matches = (PINNED.match(line) for line in text.splitlines())
    return {match["name"]: match["version"] for match in matches if match}


@pytest.mark.parametrize("lock", [*LOCKS, *APART])
def test_a_lock_is_pins_and_hashes_and_nothing_else(lock: str, root: Path) -> None:
    lines = (root / lock).read_text(encoding="utf-8").splitlines()
    strange = [line for line in lines if not PINNED.match(line) and not HASH.match(line)]
    assert strange == []
    bare = [
        line
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
        if PINNED.match(line) and not HASH.match(after)
    ]
    assert bare == []
    assert _pins("\n".join(lines))


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_what_ships_agrees_with_the_workspace(lock: str, root: Path) -> None:
    whole = _pins((root / LOCKS[0]).read_text(encoding="utf-8"))
    part = _pins((root / lock).read_text(encoding="utf-8"))
    assert part.items() <= whole.items()


def test_no_example_installs_the_one_package_under_the_agpl(root: Path) -> None:
    for lock in APART:
        assert "pymupdf" not in _pins((root / lock).read_text(encoding="utf-8"))


def test_files_that_would_name_addresses_are_ignored(root: Path) -> None:
    ignored = (root / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"uv.lock", "pylock.toml"} <= set(ignored)


def test_the_rule_can_fail() -> None:
    assert not PINNED.match("--index" + "-url https://example.org/simple")
    assert not PINNED.match("thing @ https://example.org/thing.whl \\")
    assert not PINNED.match("thing>=1 \\")
    assert not HASH.match("    --hash=md5:00")
