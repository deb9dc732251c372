"""The system's calls, counted, and one of them made to fail: a disk that is full, or bad, or loses what it was not told
to keep.
"""

import os
from pathlib import Path


class Faults:
    """Counts calls of the system and makes the n-th one fail.

    A failing write has put half of its bytes down, as a full disk does.
    With `lose` the bytes of a file that no flush has covered are gone after the fault, as after a loss of power.
    """

    def __init__(self, monkeypatch, code: int, *, lose: bool = False) -> None:
        self.count = 0
        self.fail_at = -1
        self.fired = False
        self.code = code
        self.lose = lose
        self.synced: dict[Path, int] = {}
        self.real = {name: getattr(os, name) for name in ("write", "fsync", "fdatasync", "open", "ftruncate")}
        for name in ("write", "fsync", "fdatasync", "open"):
            monkeypatch.setattr(os, name, self.wrap(name))
        replace = Path.replace

        def replaced(path, target):
            self.step()
            self.synced[Path(target).absolute()] = self.synced.pop(path.absolute(), 0)
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", replaced)

    def step(self) -> bool:
        self.count += 1
        if self.fired or self.count == self.fail_at:
            self.fired = True
            raise OSError(self.code, os.strerror(self.code))
        return True

    def wrap(self, name):
        real = self.real[name]

        def call(first, *args, **kwargs):
            try:
                self.step()
            except OSError:
                if name == "write" and self.count == self.fail_at:
                    real(first, bytes(args[0])[: len(args[0]) // 2])
                raise
            result = real(first, *args, **kwargs)
            if name in {"fsync", "fdatasync"}:
                path = Path(f"/proc/self/fd/{first}").readlink()
                if path.is_file():
                    self.synced[path] = path.stat().st_size
            return result

        return call

    def stop(self, folder: Path) -> None:
        """The machine is back."""
        self.fail_at, self.fired = -1, False
        if self.lose:
            for path in folder.rglob("*.journal"):
                size = self.synced.get(path, 0)
                if path.stat().st_size > size:
                    with path.open("r+b") as file:
                        file.truncate(size + (path.stat().st_size - size) // 3)
