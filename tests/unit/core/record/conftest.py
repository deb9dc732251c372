"""A log made by the writer's own engine, without its process."""

import json
from pathlib import Path

import pytest

from doorward_core.record.encode import encode
from doorward_core.record.engine import Engine, Settings

NOW = 1_800_000_000_000_000_000
VECTORS = Path(__file__).parents[3] / "vectors" / "event_log"


class Workshop:
    """Opens engines on one folder and adds events to them."""

    origin = "gateway.example/a"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "log"
        self.now = NOW

    def settings(self, **kwargs) -> Settings:
        return Settings(
            self.folder, self.origin, self.root / "keys" / "signer.pem", self.root / "keys" / "payload", **kwargs
        )

    def open(self, **kwargs) -> Engine:
        engine = Engine(self.settings(**kwargs))
        engine.open(self.now)
        return engine

    def add(self, engine, count=1, *, kind="operation.decided", head=None, payload=None, session=bytes(16)) -> None:
        for _ in range(count):
            self.now += 1000
            body = encode(payload) if payload else b""
            packed = encode({"n": engine.size} if head is None else head)
            engine.add(engine.size, self.now, kind, session, b"", head=packed, body=body)

    def fill(self, count: int, **kwargs) -> None:
        """A whole log of `count` events between opening and closing."""
        engine = self.open(**kwargs)
        self.add(engine, count, payload={"text": "SELECT 1"})
        self.now += 1000
        engine.close(self.now)

    @property
    def vkey(self) -> str:
        return (self.root / "keys" / "signer.vkey").read_text().strip()

    @property
    def checkpoint(self) -> bytes:
        return (self.folder / "checkpoint").read_bytes()


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path)


@pytest.fixture(scope="session")
def vectors():
    return lambda name: json.loads((VECTORS / name).read_text())
