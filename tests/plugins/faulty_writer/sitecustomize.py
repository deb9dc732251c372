"""Faults in the log's writer process, from outside: Python imports this at start where PYTHONPATH leads to it.

A test shares a file with it, `faults` in TMPDIR, of four numbers: how many calls of the system there were, which one
fails, with which error, and whether all after it fail as well.
The socket to the gateway is left alone. A failing write has put half of its bytes down, as a full disk does.
"""

import mmap
import os
import struct
import sys
from pathlib import Path

_FIELDS = struct.Struct("4q")


def _arm(faults):
    with faults.open("r+b") as file:
        shared = mmap.mmap(file.fileno(), _FIELDS.size)

    def step():
        count, fail_at, code, stays = _FIELDS.unpack_from(shared)
        struct.pack_into("q", shared, 0, count + 1)
        if fail_at and (count + 1 == fail_at or (stays and count + 1 > fail_at)):
            raise OSError(code, os.strerror(code))

    def wrap(name):
        real = getattr(os, name)

        def call(first, *args, **kwargs):
            if first != 0:
                try:
                    step()
                except OSError:
                    if name == "write":
                        real(first, bytes(args[0])[: len(args[0]) // 2])
                    raise
            return real(first, *args, **kwargs)

        setattr(os, name, call)

    for name in ("write", "fsync", "fdatasync", "open"):
        wrap(name)
    replace = Path.replace

    def replaced(path, target):
        step()
        return replace(path, target)

    Path.replace = replaced


if "doorward_core.record.process" in sys.orig_argv:
    _arm(Path(os.environ["TMPDIR"]) / "faults")
