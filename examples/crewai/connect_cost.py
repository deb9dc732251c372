"""What a connection costs through the gateway, against the same one made directly: in one process, taking turns.

NL2SQLTool opens a connection for each query, so this is what a crew waits for.
Two measures: psycopg alone (connect, authenticate, first row), and NL2SQLTool's own `execute_sql`: there SQLAlchemy
asks the server about itself on each new connection, in some ten round trips, before it sends the query.
A flush is measured beside them, for the gateway releases nothing whose record is not on disk: one flush a round trip.

TLS is off on both sides of the comparison, for the story's database is built without it; the third column has TLS on at
the gateway, certificate checked, as a crew would use it.
"""

import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from crewai_tools import NL2SQLTool

ROUNDS = 50
WARM_UP = 3  # the first ones fill caches that every later one finds filled, on either side
FIRST_ROW = "SELECT name FROM customer WHERE id = 1"


def connect_once(conninfo: str) -> None:
    """Connect, authenticate, read one row, and leave."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute(FIRST_ROW).fetchone()
    if not row:
        raise SystemExit("a row was expected")


def uri(conninfo: str) -> str:
    """The same place for SQLAlchemy: libpq takes every parameter from the query part."""
    parameters = psycopg.conninfo.conninfo_to_dict(conninfo)
    return "postgresql+psycopg:///?" + "&".join(f"{name}={value}" for name, value in parameters.items())


def take_turns(ways: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """The median time of each way in milliseconds; each round tries all of them, so that all share what disturbs."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(WARM_UP + rounds):
        for name, once in ways.items():
            start = time.perf_counter()
            once()
            if turn >= WARM_UP:
                took[name].append((time.perf_counter() - start) * 1000)
        gc.collect()  # NL2SQLTool leaves its engine, and so its connection, to the collector
    return {name: statistics.median(times) for name, times in took.items()}


def flush_ms(folder: Path) -> float:
    """The median time that the disk under `folder` takes to keep a small write."""
    path = folder / "flush-probe"
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(ROUNDS):
            file.write(bytes(512))
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - start) * 1000)
    path.unlink()
    return statistics.median(took)


def main() -> None:
    """Measure the places that are named (JSON: name -> conninfo, then a folder), and print a line of JSON."""
    places = json.loads(sys.argv[1])
    tools = {name: NL2SQLTool(db_uri=uri(conninfo), allow_dml=False) for name, conninfo in places.items()}
    plain = {name: lambda info=conninfo: connect_once(info) for name, conninfo in places.items()}
    whole = {name: lambda tool=tool: tool.execute_sql(FIRST_ROW) for name, tool in tools.items()}
    gc.freeze()  # what was loaded until now is not looked at again, each time that the collector runs
    took = {"psycopg": take_turns(plain, ROUNDS), "NL2SQLTool": take_turns(whole, ROUNDS)}
    print(json.dumps({"took_ms": took, "flush_ms": flush_ms(Path(sys.argv[2]))}))


if __name__ == "__main__":
    main()
