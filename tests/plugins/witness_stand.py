"""Witnesses for tests: real servers on loopback, and logs that ask them."""

from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import trio

from doorward_core.config import Door
from doorward_core.record.checkpoint import COSIGNATURE
from doorward_core.record.keys import signing_key
from doorward_core.record.witness_server import serve
from doorward_core.record.witness_settings import WitnessSettings


def witness_settings(folder: Path, logs: dict[str, tuple[str, ...]], name: str = "witness.example/w1", port: int = 0):
    """A witness's settings, and its key made."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = WitnessSettings.model_construct(
        version=1,
        name=name,
        key=folder / "w.key",
        state=folder / "state",
        listen=Door(address="127.0.0.1", port=port),
        logs=logs,
    )
    return settings, signing_key(settings.key, name, COSIGNATURE)[1]


@asynccontextmanager
async def witnessed(folder: Path, logs: dict[str, tuple[str, ...]], name: str = "witness.example/w1", port: int = 0):
    """A running witness: (its address, its vkey, its settings)."""
    settings, vkey = witness_settings(folder, logs, name, port)
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve, settings)
        yield f"http://127.0.0.1:{server.listeners[0].port}", vkey, settings
        await server.drain(0)
        nursery.cancel_scope.cancel()


async def ask(url: str, body: bytes):
    """One request to add a checkpoint."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.post(f"{url}/add-checkpoint", content=body)
