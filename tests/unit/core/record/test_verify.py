"""The verifier on good logs; what it finds in bad ones is in tests/evasion/test_log.py."""

import base64

import pytest

from doorward_core.record.verify import verify


@pytest.mark.parametrize("count", [0, 1, 253, 254, 255, 600])
def test_a_good_log_of_any_size_verifies(workshop, count):
    workshop.fill(count)
    report = verify(workshop.folder, public_key=workshop.vkey, outside_checkpoint=workshop.checkpoint)
    assert report.ok, report.problems
    assert report.checkpoint_size == report.size == count + 2
    assert report.checks["payloads"] == count
    assert report.notes == ()
    assert report.pinned
    assert report.outside


def test_the_vector_log_is_judged_as_written(vectors, tmp_path):
    case = vectors("log.json")
    for name, content in case["files"].items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(content))
    report = verify(tmp_path, public_key=case["vkey"])
    assert (report.ok, report.checkpoint_size, report.size) == (True, case["checkpoint_size"], case["size"])
    for flip in case["flips"]:
        path = tmp_path / flip["file"]
        good = path.read_bytes()
        at = good.find(
            b"\xa4rows",
            0 if flip["entry"] == 256 else [at for at in range(len(good)) if good.startswith(b"\xa4rows", at)][6],
        )
        path.write_bytes(good[: at + 5] + bytes([good[at + 5] ^ 1]) + good[at + 6 :])
        assert verify(tmp_path, public_key=case["vkey"]).problems[0].index == flip["entry"]
        path.write_bytes(good)


def test_a_running_log_verifies_and_says_what_is_not_protected(workshop):
    engine = workshop.open()
    workshop.add(engine, 300)
    engine.checkpoint()
    workshop.add(engine, 250)
    engine.flush()
    engine.publish()
    report = verify(workshop.folder, public_key=workshop.vkey)
    assert report.ok, report.problems
    assert (report.checkpoint_size, report.size) == (301, 551)
    assert "250 entries" in " ".join(report.notes)
    engine.release()


def test_a_log_without_a_key_from_outside_says_so(workshop):
    workshop.fill(3)
    report = verify(workshop.folder)
    assert report.ok
    assert not report.pinned
    assert "agrees with itself" in report.notes[0]


def test_an_older_checkpoint_from_outside_is_compared(workshop):
    engine = workshop.open()
    workshop.add(engine, 10)
    engine.checkpoint()
    older = workshop.checkpoint
    workshop.add(engine, 600)
    engine.close(workshop.now)
    report = verify(workshop.folder, public_key=workshop.vkey, outside_checkpoint=older)
    assert report.ok, report.problems


def test_many_openings_rotations_and_partial_tiles_verify(workshop, monkeypatch):
    monkeypatch.setattr("doorward_core.record.engine.SEGMENT_BYTES", 20_000)
    for _ in range(12):
        engine = workshop.open()
        for _ in range(3):
            workshop.add(engine, 37, payload={"text": "SELECT 1"})
            engine.checkpoint()
        engine.close(workshop.now)
    report = verify(workshop.folder, public_key=workshop.vkey, outside_checkpoint=workshop.checkpoint)
    assert report.ok, report.problems
    assert report.size == 12 * (3 * 37 + 2)


def test_progress_is_told_to_the_end(workshop):
    workshop.fill(600)
    told = []
    verify(workshop.folder, public_key=workshop.vkey, on_progress=lambda done, size: told.append((done, size)))
    assert told == [(256, 602), (512, 602), (602, 602)]


def test_bundles_checked_side_by_side_give_the_same_report(workshop):
    engine = workshop.open()
    workshop.add(engine, 9_000)
    engine.close(workshop.now)
    assert verify(workshop.folder, public_key=workshop.vkey, jobs=2) == verify(
        workshop.folder, public_key=workshop.vkey
    )
    path = workshop.folder / "tile" / "entries" / "020"
    path.write_bytes(path.read_bytes().replace(b"gateway", b"getaway", 1))
    damaged = verify(workshop.folder, public_key=workshop.vkey, jobs=2)
    assert damaged == verify(workshop.folder, public_key=workshop.vkey)
    assert damaged.problems[0].index == 5120


def test_an_empty_folder_is_no_good_log(tmp_path):
    report = verify(tmp_path)
    assert not report.ok
    assert report.size == 0
