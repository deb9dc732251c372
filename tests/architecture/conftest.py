"""What the rules of the house are held against: every source module, read once and parsed."""

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = {
    "doorward_core": ROOT / "core",
    "doorward_postgres": ROOT / "proxies/postgres",
    "doorward_ssh": ROOT / "proxies/ssh",
    "doorward_http": ROOT / "proxies/http",
    "doorward_k8s": ROOT / "proxies/k8s",
    "doorward_console": ROOT / "console",
    "doorward_demo": ROOT / "demo",
}


@dataclass(frozen=True)
class Source:
    """One module: `room` is the folder in its package, empty at the top."""

    package: str
    module: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def shown(self) -> str:
        return str(self.path.relative_to(ROOT))


def _read(package: str, folder: Path, path: Path) -> Source:
    parts = path.relative_to(folder).with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return Source(package, module, path, text, ast.parse(text, str(path)))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def distributions() -> dict[str, Path]:
    return DISTRIBUTIONS


@pytest.fixture(scope="session")
def sources() -> tuple[Source, ...]:
    found = tuple(
        _read(package, folder, path)
        for package, folder in DISTRIBUTIONS.items()
        for path in sorted((folder / package).rglob("*.py"))
    )
    assert found
    return found
