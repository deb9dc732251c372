import json
import shutil

import pytest
from evidence_stand import NOW, VERIFY, Stand, bundle, said, story, unpacked

from doorward_console.evidence.source import Source
from doorward_console.evidence.write import Wanted, verifier, write_bundle
from doorward_core.errors import RecordError


def test_the_same_log_makes_the_same_bytes(told, tmp_path):
    for name in ("1.zip", "2.zip"):
        bundle(told, tmp_path / name)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_the_verifier_travels_with_it_unchanged(made):
    assert unpacked(made)["verify.py"] == VERIFY.read_bytes() == verifier()


def test_several_gateways_are_one_bundle(tmp_path):
    stands = [story(Stand(tmp_path / name, origin)).close() for name, origin in (("b", "gw-b"), ("a", "gw-a"))]
    made = bundle(stands, tmp_path / "e.zip")
    assert [log.origin for log in made.logs] == ["gw-a", "gw-b"]
    assert made.entries == 56
    status, words = said(tmp_path / "e.zip", "--key", stands[0].vkey, "--key", stands[1].vkey)
    assert status == 0, words
    report = json.loads(unpacked(tmp_path / "e.zip")["report.json"])
    assert {log for log, _ in report["figures"]["access.opened"]["entries"]} == {0, 1}


def test_an_older_checkpoint_is_proved_to_be_the_beginning(stand, tmp_path):
    story(stand).done()
    older = (stand.folder / "checkpoint").read_bytes()
    for number in range(300):
        stand.add("gateway.error", {"what": str(number)})
    stand.close()
    bundle(stand, tmp_path / "e.zip", outside=(older,))
    status, words = said(tmp_path / "e.zip", "--key", stand.vkey)
    assert status == 0, words
    assert "the older checkpoint over 27 entries" in words


def test_a_log_that_was_cut_makes_no_bundle_for_whoever_kept_a_checkpoint(tmp_path):
    longer = story(Stand(tmp_path / "a")).close()
    shorter = Stand(tmp_path / "b").close()
    with pytest.raises(RecordError, match="entries were removed"):
        bundle(shorter, tmp_path / "e.zip", outside=((longer.folder / "checkpoint").read_bytes(),))


@pytest.mark.parametrize(("begin", "end"), [(5, 5), (6, 5)])
def test_a_period_that_ends_before_it_begins_is_refused(told, tmp_path, begin, end):
    with pytest.raises(RecordError, match="ends before"):
        bundle(told, tmp_path / "e.zip", begin, end)


def test_it_is_proved_up_to_a_checkpoint_that_witnesses_cosigned(stand, tmp_path):
    story(stand)
    for number in range(300):
        stand.add("gateway.error", {"what": str(number)})
    stand.done()
    cosigned = (stand.folder / "checkpoint").read_bytes()
    for number in range(100):
        stand.add("gateway.error", {"what": str(number)})
    stand.close()
    source = Source.of(stand.folder, cosigned=[cosigned])
    assert (source.size, source.behind) == (327, 101)
    made = write_bundle(tmp_path / "e.zip", [source], Wanted(0, 1 << 62))
    assert made.entries == 327
    status, words = said(tmp_path / "e.zip", "--key", stand.vkey)
    assert (status, "101 entries lay behind the checkpoint" in words) == (0, True), words
    with pytest.raises(RecordError, match="a cosigned checkpoint covers"):
        Source.of(Stand(tmp_path / "b").close().folder, cosigned=[cosigned])


def test_what_was_freed_here_is_read_from_its_archive(stand, tmp_path):
    story(stand)
    for number in range(600):
        stand.add("gateway.error", {"what": str(number)})
    stand.close()
    archive = tmp_path / "archive"
    shutil.copytree(stand.folder / "tile", archive / "tile")
    (stand.folder / "tile" / "entries" / "000").unlink()

    def fetch(path):
        return (archive / path).read_bytes() if (archive / path).exists() else None

    with pytest.raises(RecordError, match="entries 0 to 255 are missing"):
        bundle(stand, tmp_path / "e.zip")
    write_bundle(tmp_path / "e.zip", [Source.of(stand.folder, fetch=fetch)], Wanted(0, 1 << 62))
    assert said(tmp_path / "e.zip", "--key", stand.vkey)[0] == 0


def test_one_log_twice_or_none_is_refused(told, tmp_path):
    for stands in ([told, told], []):
        with pytest.raises(RecordError, match="another gateway"):
            bundle(stands, tmp_path / "e.zip", NOW)
