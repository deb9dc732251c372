"""Following a log: what is new goes to a sender, batch by batch, and the cursor after it.

At least once: an event is counted as delivered only after its sender said so. What no checkpoint covers yet waits for
the next one, a second away, so that nothing is shipped that a crash could take back.
While a receiver is away, it is tried again after a while, ever longer; nothing is kept in memory for it but one batch.
Cancelled, it leaves the cursor behind what was delivered.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import trio

from doorward_console.follow.cursor import Cursor, read
from doorward_console.follow.senders import NotDelivered, Sender
from doorward_core.record.reader import Entry, LogReader

BATCH_EVENTS: Final = 500
BATCH_PARTS: Final = 64  # of large events, 48 KiB each: three megabytes
LOOK_S: Final = 1.0
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0


async def follow(
    reader: LogReader,
    origin: str,
    sender: Sender,
    cursor_path: Path,
    *,
    once: bool = False,
    tell: Callable[[str], None] = lambda _words: None,
    look_s: float = LOOK_S,
) -> int:
    """Ship what is new, until cancelled, or up to the checkpoint (`once`). Gives how many events were delivered.

    `tell` hears of trouble and of its end. Raises RecordError where the log or the cursor cannot be read.
    """
    cursor = await trio.to_thread.run_sync(read, cursor_path, origin, reader)
    delivered = 0
    while True:
        batch = await trio.to_thread.run_sync(_batch, reader, cursor.next)
        if batch:
            await _deliver(sender, batch, tell)
            cursor = await trio.to_thread.run_sync(_moved, reader, cursor, batch)
            await trio.to_thread.run_sync(cursor.write, cursor_path)
            delivered += len(batch)
        elif once:
            return delivered
        else:
            await trio.sleep(look_s)


async def _deliver(sender: Sender, batch: Sequence[Entry], tell: Callable[[str], None]) -> None:
    wait_s = FIRST_WAIT_S
    while True:
        try:
            await sender.send(batch)
        except NotDelivered as error:
            tell(f"not delivered, trying again in {wait_s:.0f} s: {error}")
            await trio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
        else:
            if wait_s > FIRST_WAIT_S:
                tell("delivered again")
            return


def _batch(reader: LogReader, start: int) -> list[Entry]:
    """What comes next and is protected by a checkpoint."""
    checkpoint = reader.checkpoint()
    if checkpoint is None or checkpoint.size <= start:
        return []
    batch: list[Entry] = []
    parts = 0
    for entry in reader.entries(start):
        if not entry.protected or len(batch) >= BATCH_EVENTS or parts >= BATCH_PARTS + BATCH_EVENTS:
            break
        batch.append(entry)
        parts += entry.parts
    return batch


def _moved(reader: LogReader, cursor: Cursor, batch: Sequence[Entry]) -> Cursor:
    last = batch[-1]
    behind = last.index + last.parts
    return Cursor(cursor.origin, behind, reader.leaf(behind - 1).hex())
