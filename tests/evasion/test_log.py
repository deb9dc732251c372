"""The threat model, "The log": what somebody who can write to the disk, and knows the format, may try.

Each row's attacker leaves a log that a verifier must refuse, naming the first bad entry; rows are never removed.
"""

import random
import re
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.errors import RecordError
from doorward_core.record import checkpoint, journal, merkle, proof
from doorward_core.record.encode import decode, encode
from doorward_core.record.engine import Engine, Settings
from doorward_core.record.keys import _read_key
from doorward_core.record.publish import Publisher
from doorward_core.record.tiles import pack_bundle, tile_path, unpack_bundle
from doorward_core.record.verify import verify

NOW = 1_800_000_000_000_000_000
ORIGIN = "gateway.example/a"


class Victim:
    """A log, and what an attacker does to it."""

    def __init__(self, root: Path, origin: str = ORIGIN) -> None:
        self.root, self.folder, self.origin = root, root / "log", origin
        self.now = NOW
        self.mirror: Path | None = None

    def engine(self) -> Engine:
        settings = Settings(
            self.folder, self.origin, self.root / "keys" / "s.pem", self.root / "keys" / "p", mirror=self.mirror
        )
        engine = Engine(settings)
        engine.open(self.now)
        return engine

    def add(self, engine: Engine, count: int) -> None:
        for _ in range(count):
            self.now += 1000
            body = encode({"text": f"SELECT {engine.size}"})
            engine.add(engine.size, self.now, "operation.decided", bytes(16), b"", head=encode({"n": 1}), body=body)

    def fill(self, count: int) -> "Victim":
        engine = self.engine()
        self.add(engine, count)
        engine.close(self.now)
        return self

    @property
    def vkey(self) -> str:
        return (self.root / "keys" / "s.vkey").read_text().strip()

    @property
    def note(self) -> bytes:
        return (self.folder / "checkpoint").read_bytes()

    def report(self, outside: bytes | None = None, folder: Path | None = None):
        return verify(folder or self.folder, public_key=self.vkey, outside_checkpoint=outside)

    def first_bad(self, outside: bytes | None = None) -> int | None:
        report = self.report(outside)
        assert not report.ok
        return report.problems[0].index

    def entries(self) -> list[bytes]:
        size = checkpoint.verify(self.note, self.vkey).size
        found: list[bytes] = []
        for number in range(-(-size // 256)):
            found += unpack_bundle(
                (self.folder / tile_path("entries", number, min(256, size - number * 256))).read_bytes()
            )
        return found

    def rewrite(self, entries: list[bytes], key: Ed25519PrivateKey) -> None:
        """Replace the whole tree by one over `entries`, every hash right, signed by `key`."""
        shutil.rmtree(self.folder)
        (self.folder / "journal").mkdir(parents=True)
        publisher = Publisher(self.folder, self.origin, key, None)
        publisher.add(entries)
        publisher.checkpoint()
        segment = journal.Journal(self.folder / "journal")
        segment.start(len(entries) - len(publisher.bundle), publisher.bundle)
        segment.close()

    def rewrite_unsigned(self, entries: list[bytes]) -> None:
        """The same, but the old checkpoint stays: the attacker has no key."""
        note = self.note
        self.rewrite(entries, Ed25519PrivateKey.generate())
        (self.folder / "checkpoint").write_bytes(note)


@pytest.fixture
def victim(tmp_path):
    return Victim(tmp_path / "a")


@pytest.fixture
def long(victim):
    return victim.fill(600)


def altered(data: bytes, **changes) -> bytes:
    return encode(decode(data) | changes)


# --- L-01 truncate tail, head, whole file; delete a segment -----------------------------------------------------------


def test_l_01_cut_back_to_an_older_checkpoint_is_named_by_one_from_outside(victim):
    engine = victim.engine()
    victim.add(engine, 300)
    engine.checkpoint()
    shutil.copytree(victim.folder, victim.root / "older")
    victim.add(engine, 50)
    engine.close(victim.now)
    outside = victim.note
    shutil.rmtree(victim.folder)
    (victim.root / "older").rename(victim.folder)
    assert victim.report().ok  # nothing within the log can tell
    assert victim.first_bad(outside) == 301


def test_l_01_cut_back_with_its_tiles_left_behind_is_told_and_named_by_a_checkpoint_from_outside(victim):
    engine = victim.engine()
    victim.add(engine, 300)
    engine.checkpoint()
    for name in ("checkpoint", "journal"):
        (shutil.copytree if name == "journal" else shutil.copy)(victim.folder / name, victim.root / name)
    victim.add(engine, 900)
    engine.close(victim.now)
    outside = victim.note
    assert victim.report().beyond is None
    shutil.rmtree(victim.folder / "journal")
    for name in ("checkpoint", "journal"):
        (victim.root / name).rename(victim.folder / name)
    report = victim.report()
    assert (report.ok, report.beyond.start, report.beyond.bundles) == (True, 301, 4)  # no proof, and said
    assert "so has a log that was cut back" in report.notes[-1]
    assert victim.first_bad(outside) == 301


def test_l_01_cut_tail_under_the_checkpoint_is_named(long):
    (long.folder / tile_path("entries", 2, 90)).unlink()
    assert long.first_bad() == 512


def test_l_01_cut_bundle_is_named_at_its_first_missing_entry(long):
    path = long.folder / tile_path("entries", 1)
    path.write_bytes(pack_bundle(unpack_bundle(path.read_bytes())[:100]))
    assert long.first_bad() == 356


def test_l_01_cut_head_is_named(long):
    (long.folder / tile_path("entries", 0)).unlink()
    assert long.first_bad() == 0
    (long.folder / tile_path(0, 0)).unlink()
    assert long.first_bad() == 0


def test_l_01_deleted_everything_but_the_checkpoint(long):
    shutil.rmtree(long.folder / "tile")
    assert long.first_bad() == 0


def test_l_01_deleted_checkpoint(long):
    (long.folder / "checkpoint").unlink()
    assert not long.report().ok


@pytest.mark.parametrize("level", [0, 1])
def test_l_01_deleted_tile(long, level):
    (long.folder / (tile_path(0, 1) if level == 0 else tile_path(1, 0, 2))).unlink()
    assert long.first_bad() == (256 if level == 0 else 0)


def test_l_01_a_checkpoint_that_claims_too_much_ends_at_once(long):
    (long.folder / "checkpoint").write_bytes(
        checkpoint.sign(checkpoint.Checkpoint(ORIGIN, 10**18, bytes(32)), Ed25519PrivateKey.generate())
    )
    assert long.first_bad() == 602 // 256 * 256


def test_l_01_a_journal_cut_behind_the_checkpoint_does_not_reopen(victim):
    engine = victim.engine()
    victim.add(engine, 10)
    engine.checkpoint()
    engine.release()
    path = next((victim.folder / "journal").iterdir())
    path.write_bytes(path.read_bytes()[:400])
    assert victim.first_bad() is not None
    with pytest.raises(RecordError, match="damaged"):
        victim.engine()


def test_l_01_a_deleted_journal_does_not_reopen_as_a_new_log(long):
    shutil.rmtree(long.folder / "journal")
    with pytest.raises(RecordError, match="damaged"):
        long.engine()


def test_l_01_tail_repair_hides_nothing_that_a_later_frame_calls_durable(victim):
    engine = victim.engine()
    for _ in range(3):
        victim.add(engine, 2)
        engine.flush()
    engine.release()
    path = next((victim.folder / "journal").iterdir())
    data = bytearray(path.read_bytes())
    data[data.index(b"SELECT 3")] ^= 1
    path.write_bytes(data)
    with pytest.raises(RecordError, match="entry 3 was on stable storage"):
        victim.engine()
    assert victim.first_bad() == 3
    assert path.read_bytes() == data  # nothing was repaired over the evidence


def test_l_01_rolled_back_with_its_checkpoint_does_not_reopen_beside_its_copy(victim):
    victim.mirror = victim.root / "second"
    engine = victim.engine()
    victim.add(engine, 5)
    engine.checkpoint()
    shutil.copytree(victim.folder, victim.root / "older")
    victim.add(engine, 5)
    engine.close(victim.now)
    shutil.rmtree(victim.folder)
    (victim.root / "older").rename(victim.folder)
    with pytest.raises(RecordError, match="covers 12 entries, entry 6 is missing"):
        victim.engine()


# --- L-02 edit any byte; re-hash from there ---------------------------------------------------------------------------


def entry_at(data: bytes, at: int) -> int:
    """Which entry of a bundle the byte at this place belongs to."""
    index, end = -1, 0
    while end <= at:
        end += 2 + int.from_bytes(data[end : end + 2], "big")
        index += 1
    return index


def named(problems, path: Path, folder: Path, data: bytes, at: int) -> bool:
    """Whether the first problem says where: the entry, or for what holds none the file itself."""
    relative = path.relative_to(folder).as_posix()
    first = problems[0]
    if relative == "checkpoint":
        return any("checkpoint" in problem.what for problem in problems)
    if relative.startswith("journal/"):
        return first.index is not None or "journal" in first.what
    level, digits = re.fullmatch(r"tile/(\w+)/([x0-9/]+)(?:\.p/\d+)?", relative).groups()
    number = int(re.sub("[x/]", "", digits))
    if level == "entries":
        return first.index == number * 256 + entry_at(data, at)
    if level == "0":
        return first.index == number * 256 + at // 32
    return relative in first.what


def files_of(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock"]


@pytest.mark.slow
def test_l_02_every_bit_of_a_small_log(victim):
    """Each of them alone: found, and named with its entry where it is one."""
    victim.fill(3)
    flipped = 0
    for path in files_of(victim.folder):
        good = path.read_bytes()
        for at in range(len(good)):
            for bit in range(8):
                path.write_bytes(good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :])
                report = victim.report()
                assert not report.ok, (path, at, bit)
                assert named(report.problems, path, victim.folder, good, at), (path, at, bit, report.problems)
                flipped += 1
        path.write_bytes(good)
    assert flipped > 20_000
    assert victim.report().ok


def test_l_02_every_byte_cut_off_a_small_log(victim):
    """Each file, cut at each length."""
    victim.fill(3)
    for path in files_of(victim.folder):
        good = path.read_bytes()
        for length in range(len(good)):
            path.write_bytes(good[:length])
            # A journal without its last frames, none of whose entries a checkpoint covers, would be a torn tail.
            assert not victim.report().ok, (path, length)
        path.write_bytes(good)
    assert victim.report().ok


@pytest.mark.slow
def test_l_02_a_log_of_ten_thousand_entries_sampled(victim):
    """Bits, cuts, changes of order, splices and exchanged keys in places drawn once and for all."""
    victim.fill(10_000)
    drawn = random.Random(20_260_728)
    paths = files_of(victim.folder)
    weights = [path.stat().st_size for path in paths]
    for path in [*drawn.choices(paths, weights, k=60), *paths[:1], *paths[-2:]]:
        good = path.read_bytes()
        at = drawn.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ 1 << drawn.randrange(8)]) + good[at + 1 :])
        report = victim.report()
        assert not report.ok, (path, at)
        assert named(report.problems, path, victim.folder, good, at), (path, at, report.problems)
        path.write_bytes(good[:at])
        assert not victim.report().ok, (path, at)
        path.write_bytes(good)
    assert victim.report().ok


@pytest.mark.slow
def test_l_03_a_log_of_ten_thousand_entries_out_of_order_spliced_or_forked(tmp_path):
    """By whoever has the key, too: the places are within what is signed."""
    victim, other = Victim(tmp_path / "a").fill(10_000), Victim(tmp_path / "b", "gateway.example/b").fill(10_000)
    entries, theirs, outside = victim.entries(), other.entries(), victim.note
    key = _read_key(victim.root / "keys" / "s.pem")
    drawn = random.Random(20_260_729)
    for _ in range(6):
        at = drawn.randrange(1, 9_000)
        for change in (
            moved(entries, at + 5, at),
            [*entries[:at], entries[at - 1], *entries[at:-1]],
            [*entries[:at], *entries[at + 1 :]],
            [*entries[:at], theirs[at], *entries[at + 1 :]],
        ):
            victim.rewrite(change, key)
            assert victim.first_bad() == at
        forked = [*entries[:at], altered(entries[at], head={"n": 2}), *entries[at + 1 :]]
        victim.rewrite(forked, key)
        assert victim.report().ok  # the owner of the key may write what they like ...
        assert not victim.report(outside).ok  # ... but not past a checkpoint that somebody kept
        victim.rewrite(entries, Ed25519PrivateKey.generate())
        report = victim.report()
        assert "did not sign" in report.problems[0].what


@pytest.mark.parametrize("index", [0, 1, 255, 256, 400, 511, 512, 601])
def test_l_02_an_edited_entry_is_named(long, index):
    number = index // 256
    path = long.folder / tile_path("entries", number, min(256, 602 - number * 256))
    entries = unpack_bundle(path.read_bytes())
    entries[index % 256] = altered(entries[index % 256], head={"n": 2})
    path.write_bytes(pack_bundle(entries))
    report = long.report()
    assert report.problems[0].index == index
    assert {problem.index for problem in report.problems} <= {index}


@pytest.mark.parametrize("index", [3, 300, 550])
def test_l_02_rehashed_from_there_is_caught_by_the_checkpoint(long, index):
    entries = long.entries()
    entries[index] = altered(entries[index], head={"n": 2})
    long.rewrite_unsigned(entries)
    report = long.report()
    assert not report.ok
    assert "root" in report.problems[-1].what


def test_l_02_rehashed_and_signed_by_another_key_is_caught_by_the_pinned_one(long):
    entries = long.entries()
    key = Ed25519PrivateKey.generate()
    entries[0] = altered(
        entries[0],
        head=decode(entries[0])["head"]
        | {"vkey": checkpoint.make_vkey(ORIGIN, checkpoint.public_bytes(key.public_key()))},
    )
    entries[300] = altered(entries[300], head={"n": 2})
    outside = long.note
    long.rewrite(entries, key)
    assert verify(long.folder).ok  # it agrees with itself ...
    assert not long.report().ok  # ... and not with the key from outside
    assert not verify(long.folder, outside_checkpoint=outside).ok


def test_l_02_rewritten_by_the_owner_of_the_key_is_caught_by_a_checkpoint_from_outside(long):
    pem = (long.root / "keys" / "s.pem").read_bytes()
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - here alone

    entries, outside = long.entries(), long.note
    entries[300] = altered(entries[300], head={"n": 2})
    long.rewrite(entries, load_pem_private_key(pem, password=None))
    assert long.report().ok
    assert not long.report(outside).ok


def test_l_02_an_edited_tile_is_not_blamed_on_another_entry(long):
    path = long.folder / tile_path(0, 1)
    data = bytearray(path.read_bytes())
    data[5 * 32] ^= 1
    path.write_bytes(data)
    assert long.first_bad() == 261


def test_l_02_an_edited_upper_tile(long):
    path = long.folder / tile_path(1, 0, 2)
    path.write_bytes(bytes(64))
    assert long.first_bad() == 0


def test_l_02_a_file_that_does_not_belong(long):
    (long.folder / "tile" / "0" / "x000").mkdir()
    (long.folder / "tile" / "0" / "x000" / "001").write_bytes(b"")
    (long.folder / "notes.txt").write_text("hello")
    report = long.report()
    assert sorted(problem.what.split()[0] for problem in report.problems) == ["notes.txt", "tile/0/x000/001"]


def test_l_02_a_symbolic_link_is_not_followed(long):
    path = long.folder / tile_path("entries", 1)
    path.rename(long.root / "elsewhere")
    path.symlink_to(long.root / "elsewhere")
    assert long.first_bad() == 256


def test_l_02_a_damaged_log_does_not_reopen_and_is_not_touched(victim):
    victim.fill(5)
    segment = next((victim.folder / "journal").iterdir())
    found = journal.read_segment(segment).entries
    found[2] = altered(found[2], head={"n": 2})
    segment.write_bytes(journal.pack_frame(0, found, 0))
    before = {path: path.read_bytes() for path in victim.folder.rglob("*") if path.is_file()}
    with pytest.raises(RecordError, match="do not match the checkpoint"):
        victim.engine()
    assert {path: path.read_bytes() for path in victim.folder.rglob("*") if path.is_file()} == before


# --- L-03 reorder, duplicate, splice ----------------------------------------------------------------------------------


def moved(entries: list[bytes], source: int, target: int) -> list[bytes]:
    changed = list(entries)
    changed.insert(target, changed.pop(source))
    return changed


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    ("change", "index"),
    [
        (lambda entries, _: moved(entries, 5, 4), 4),
        (lambda entries, _: [*entries[:7], entries[6], *entries[7:-1]], 7),
        (lambda entries, _: [*entries[:7], *entries[8:], entries[-1]], 7),
        (lambda entries, other: [*entries[:300], other[300], *entries[301:]], 300),
    ],
    ids=["reordered", "duplicated", "removed", "spliced"],
)
def test_l_03_entries_out_of_their_places_are_named(tmp_path, change, index, signed):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - here alone

    victim, other = Victim(tmp_path / "a").fill(600), Victim(tmp_path / "b", "gateway.example/b").fill(600)
    entries = change(victim.entries(), other.entries())
    if signed:  # even the owner of the key cannot make such a log pass
        key = load_pem_private_key((victim.root / "keys" / "s.pem").read_bytes(), password=None)
        victim.rewrite(entries, key)
    else:
        victim.rewrite_unsigned(entries)
    assert victim.first_bad() == index


def test_l_03_a_whole_log_of_another_origin(tmp_path):
    victim, other = Victim(tmp_path / "a").fill(5), Victim(tmp_path / "b", "gateway.example/b").fill(5)
    assert not verify(other.folder, public_key=victim.vkey).ok


def test_l_03_a_part_taken_out_of_an_event(victim):
    engine = victim.engine()
    engine.add(1, victim.now, "a.b", b"", b"", head=encode({}), body=encode({"x": bytes(200_000)}))
    victim.add(engine, 1)
    engine.close(victim.now)
    entries = victim.entries()
    del entries[3]
    entries = [altered(data, index=at) for at, data in enumerate(entries)]
    victim.rewrite(entries, Ed25519PrivateKey.generate())
    assert victim.first_bad() == 3


# --- L-05 clock -------------------------------------------------------------------------------------------------------


def test_l_05_a_clock_that_goes_back_is_marked_and_a_backdated_entry_is_named(long):
    entries = long.entries()
    entries[300] = altered(entries[300], at=NOW - 1)
    long.rewrite(entries, Ed25519PrivateKey.generate())
    report = long.report()
    assert report.problems[0].index == 300
    assert "time" in report.problems[0].what


def test_l_05_time_going_back_at_a_tile_s_edge_is_named(long):
    entries = long.entries()
    entries[256] = altered(entries[256], at=NOW - 1)
    long.rewrite(entries, Ed25519PrivateKey.generate())
    assert long.report().problems[0].index == 256


def test_l_05_a_gateway_whose_clock_was_set_back_says_so_at_its_next_start(victim):
    victim.fill(3)
    victim.now -= 10**12
    victim.engine().release()
    report = victim.report()
    assert report.ok
    assert report.checks["clock_back"] == 1


# --- L-07 keys --------------------------------------------------------------------------------------------------------


def rotated(victim: Victim, old: Ed25519PrivateKey, new: Ed25519PrivateKey, signer: Ed25519PrivateKey) -> None:
    """A log of five entries whose fourth changes the key from `old` to `new`, as `signer` says."""
    engine = victim.engine()
    victim.add(engine, 2)
    engine.close(victim.now)
    entries = victim.entries()
    vkey = checkpoint.make_vkey(ORIGIN, checkpoint.public_bytes(new.public_key()))
    entries[0] = altered(
        entries[0],
        head=decode(entries[0])["head"]
        | {"vkey": checkpoint.make_vkey(ORIGIN, checkpoint.public_bytes(old.public_key()))},
    )
    signature = signer.sign(checkpoint.rotation_statement(ORIGIN, 3, vkey))
    entries[3] = altered(entries[3], kind="key.rotated", head={"vkey": vkey, "signature": signature})
    victim.rewrite(entries, new)


def test_l_07_a_key_changed_by_the_old_one_is_followed_from_either(victim):
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    rotated(victim, old, new, old)
    for key in (old, new):
        vkey = checkpoint.make_vkey(ORIGIN, checkpoint.public_bytes(key.public_key()))
        assert verify(victim.folder, public_key=vkey).ok
    assert verify(victim.folder).ok


def test_l_07_a_key_changed_by_a_thief_is_not(victim):
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    rotated(victim, old, new, new)
    vkey = checkpoint.make_vkey(ORIGIN, checkpoint.public_bytes(old.public_key()))
    assert not verify(victim.folder, public_key=vkey).ok
    assert not verify(victim.folder).ok


# --- L-08 msgpack -----------------------------------------------------------------------------------------------------

LIES = {
    "duplicate keys": b"\x82\xa1n\x01\xa1n\x02",
    "descending keys": b"\x82\xa1z\x01\xa1a\x02",
    "integer key": b"\x81\x01\x02",
    "nan": b"\x81\xa1n\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    "extension": b"\x81\xa1n\xc7\x03\x05abc",
    "timestamp": b"\x81\xa1n\xd7\xff" + b"\xff" * 8,
    "long integer": b"\x81\xa1n\xcd\x00\x01",
    "long string": b"\x81\xa1n\xd9\x01a",
    "length of 2^32": b"\x81\xa1n\xdb\xff\xff\xff\xff",
    "array of 2^32": b"\x81\xa1n\xdd\xff\xff\xff\xff",
    "map of 2^32": b"\xdf\xff\xff\xff\xff",
    "too deep": b"\x81\xa1n" + b"\x91" * 17 + b"\x00",
    "far too deep": b"\x81\xa1n" + b"\x91" * 14_000 + b"\x00",
    "invalid UTF-8": b"\x81\xa1n\xa2\xc3\x28",
    "surrogate": b"\x81\xa1n\xa3\xed\xa0\x80",
    "reserved": b"\x81\xa1n\xc1",
}


@pytest.mark.parametrize("name", LIES)
def test_l_08_a_header_with_a_second_spelling_is_refused_wherever_it_is_read(victim, name):
    victim.fill(3)
    entries = victim.entries()
    good = encode({"n": 1})
    entries[2] = entries[2].replace(b"\xa4head" + good, b"\xa4head" + LIES[name])
    victim.rewrite(entries, Ed25519PrivateKey.generate())
    report = victim.report()
    assert report.problems[0].index == 2, report.problems
    from doorward_core.record.reader import LogReader  # noqa: PLC0415 - here alone

    with pytest.raises(RecordError, match="entry 2"):
        list(LogReader(victim.folder).entries())


@pytest.mark.parametrize("at", [-1, 2**64])
def test_l_08_a_time_beyond_range_has_no_spelling(victim, at):
    victim.fill(1)
    with pytest.raises((ValueError, OverflowError)):
        encode(decode(victim.entries()[1]) | {"at": at}) if at > 0 else proof_of_negative(victim, at)


def proof_of_negative(victim: Victim, at: int) -> None:
    from doorward_core.record import strict  # noqa: PLC0415 - here alone

    strict.entry(altered(victim.entries()[1], at=at))


def test_the_verifier_shares_no_module_with_the_writer():
    source = Path(proof.__file__).parent
    ours = {
        "strict", "quick", "quorum", "key_chain", "proof_check", "proof", "audit", "bundles", "tile_audit", "tree_files",
        "sources", "verify",
    }  # fmt: skip
    for name in ours:
        text = (source / f"{name}.py").read_text()
        for line in text.splitlines():
            if "import" in line and "doorward_core" in line:
                named = set(line.replace(",", " ").replace(".", " ").split()) & {
                    path.stem for path in source.glob("*.py") if path.stem != "__init__"
                }
                assert named <= ours, line
    assert merkle.TILE_WIDTH == proof.WIDTH
