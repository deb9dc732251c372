"""The system's calls, counted, and one of them made to fail: a disk that is full, or bad, or loses what it was not told
to keep.
"""

import os
from pathlib import Path


class Faults:
    """Counts calls of the system and makes the n-th one fail.

    A failing write has put half of its bytes down, as a full disk does.
    With `lose` the bytes of a file that no flush has covered are gone after the fault, as after a loss of power; so is,
    of tiles, bundles and segments, a name that no flush of its folder has covered.
    """

    def __init__(self, monkeypatch, code: int, *, lose: bool = False) -> None:
        self.count = 0
        self.fail_at = -1
        self.fired = False
        self.code = code
        self.lose = lose
        self.synced: dict[Path, int] = {}
        self.named: set[Path] = set()  # files and folders whose name a flush of their folder has covered
        self.real = {name: getattr(os, name) for name in ("write", "fsync", "fdatasync", "open", "ftruncate")}
        for name in ("write", "fsync", "fdatasync", "open"):
            monkeypatch.setattr(os, name, self.wrap(name))
        replace = Path.replace

        def replaced(path, target):
            self.step()
            self.synced[Path(target).absolute()] = self.synced.pop(path.absolute(), 0)
            if not Path(target).exists():  # else a name that was there stays, for the old or the new content
                self.named.discard(Path(target).absolute())
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
                else:
                    self.named |= set(path.iterdir())
            return result

        return call

    def stop(self, folder: Path) -> None:
        """The machine is back."""
        self.fail_at, self.fired = -1, False
        if self.lose:
            for path in [*folder.rglob("tile/**/*"), *folder.rglob("*.journal")]:
                if path.is_file() and path.suffix != ".tmp":
                    self.lose_what_no_flush_covered(path, folder)

    def lose_what_no_flush_covered(self, path: Path, folder: Path) -> None:
        """Of the bytes a third is left; the file may have another name as well, which keeps all of them."""
        data = path.read_bytes()
        size = self.synced.get(path, 0)
        names = {path, *path.parents} - {folder, *folder.parents}
        if len(data) > size or not names <= self.named:
            path.unlink()
        if len(data) > size and names <= self.named:
            path.write_bytes(data[: size + (len(data) - size) // 3])
