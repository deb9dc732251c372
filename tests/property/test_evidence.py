"""Two readings of one format agree: `doorward verify`, and the verifier that travels in bundles, over altered logs.

Whoever alters them has the key: every hash and signature is right, so that the entries' own rules are what is left.
"""

import contextlib
import shutil
from pathlib import Path

import pytest
from evidence_stand import LOG, Stand, entries_of, forged, problems, signer, story, unpacked
from evidence_stand import bundle as write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doorward_console.evidence.proofs import Root, heights, joined
from doorward_console.evidence.verify import Tree, levels
from doorward_core.record import journal, merkle
from doorward_core.record.encode import EncodingError, decode, encode
from doorward_core.record.publish import Publisher
from doorward_core.record.verify import verify


class Victim:
    def __init__(self, stand: Stand, members: dict[str, bytes]) -> None:
        self.stand, self.members = stand, members

    def __repr__(self) -> str:  # what is tried is what counts where it fails
        return "victim"


@pytest.fixture(scope="module")
def victim(tmp_path_factory) -> Victim:
    root = tmp_path_factory.mktemp("victim")
    stand = Stand(root / "a")
    stand.policy("x" * 60_000, digest=bytes(32))  # another text has another digest
    story(stand).close()
    write(stand, root / "e.zip", vkeys=(stand.vkey,))
    return Victim(stand, unpacked(root / "e.zip"))


FIELDS = ("at", "commit", "head", "index", "key", "kind", "op", "origin", "part", "payload", "session", "v")
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 2**64 - 1),
    st.integers(-(2**63), -1),
    st.binary(max_size=70),
    st.sampled_from(["", "a.b", "log.closed", "gateway.example/a"]),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
)


CHANGES = st.tuples(
    st.sampled_from(["field", "bit", "cut", "add", "swap", "drop", "double", "nothing"]),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    st.sampled_from(FIELDS),
    VALUES,
)


def altered(entries: list[bytes], change) -> list[bytes]:
    what, first, second, name, value = change
    made, place = [*entries], first % len(entries)
    entry, at = made[place], second % len(made[place])
    if what == "field":
        with contextlib.suppress(EncodingError):
            made[place] = encode(decode(entry) | {name: value})
    elif what == "bit":
        made[place] = entry[:at] + bytes([entry[at] ^ 1 << first % 8]) + entry[at + 1 :]
    elif what == "cut":
        made[place] = entry[: at + 1]
    elif what == "add":
        made[place] += bytes([first % 256])
    elif what == "swap":
        other = second % len(made)
        made[place], made[other] = made[other], made[place]
    elif what == "drop":
        made = made[: place + 1]
    elif what == "double":
        made.insert(place, entry)
    return made


def _ours(stand: Stand, entries: list[bytes], folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "journal").mkdir(parents=True)
    publisher = Publisher(folder, stand.origin, signer(stand), None)
    publisher.add(entries)
    publisher.checkpoint()
    segment = journal.Journal(folder / "journal")
    segment.start(len(entries) - len(publisher.bundle), publisher.bundle)
    segment.close()
    return verify(folder, public_key=stand.vkey).ok


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=CHANGES)
def test_both_verifiers_say_the_same_of_altered_logs(victim, tmp_path, change):
    stand, members = victim.stand, victim.members
    entries = altered(entries_of(members), change)
    good = _ours(stand, entries, tmp_path / "log")
    # Figures are another matter than the log: what was altered without a trace in the entries counts differently.
    bad = forged(members, entries, signer(stand))
    said = [one for one in problems(bad, signatures=False) if "report.json" not in one]
    assert good == (not said), said
    assert f"{LOG}/log.json" in bad


@given(st.integers(1, 3000), st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 400)), max_size=5))
@settings(max_examples=100, deadline=None)
def test_any_runs_and_the_hashes_between_them_make_the_root_for_both(size, wanted):
    leaves = [merkle.leaf_hash(b"%d" % place) for place in range(size)]
    runs = joined([(start, min(start + count, size)) for start, count in wanted if start < size])
    ours, theirs, at = Root(), Tree(), 0
    for start, end in [*runs, (size, size)]:
        assert [height for _, height in heights(at, start)] == list(levels(at, start))
        for place, height in heights(at, start):
            value = merkle.perfect_root(leaves[place : place + (1 << height)])
            ours.add(value, height)
            theirs.take(value, height)
        for leaf in leaves[start:end]:
            ours.add(leaf)
            theirs.take(leaf)
        at = end
    assert ours.value() == theirs.root() == merkle.root(leaves)
