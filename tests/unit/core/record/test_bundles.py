"""Bundles in order, in one process or in several; equality of the reports is tested in test_verify.py."""

import pickle
import subprocess
import sys

import pytest

from doorward_core.errors import RecordError
from doorward_core.record import bundles as module
from doorward_core.record.bundles import check_all, main
from doorward_core.record.tree_files import TreeFiles


def test_bundles_come_in_order_with_the_entries_of_the_last(workshop):
    workshop.fill(600)
    bundles = list(check_all(TreeFiles(workshop.folder), 602, workshop.origin, 1))
    assert [bundle.number for bundle in bundles] == [0, 1, 2]
    assert [len(bundle.edge_entries) for bundle in bundles] == [0, 0, 90]
    assert all(bundle.found.problem is None for bundle in bundles)


def test_a_bundle_that_is_not_there_is_given_without_findings(workshop):
    workshop.fill(3)
    bundle = next(check_all(TreeFiles(workshop.folder / "nothing"), 10**18, workshop.origin, 1))
    assert bundle.found is None


def test_several_processes_give_the_same_and_leave_nothing_running(workshop, monkeypatch):
    workshop.fill(9_000)
    started = []

    class Noted(subprocess.Popen):
        def __init__(self, *arguments, **keywords):
            super().__init__(*arguments, **keywords)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    files = TreeFiles(workshop.folder)
    alone = list(check_all(files, 9_002, workshop.origin, 1))
    assert list(check_all(files, 9_002, workshop.origin, 2)) == alone
    next(iter(check_all(files, 9_002, workshop.origin, 2)))
    claimed = list(check_all(files, 10**18, workshop.origin, 2))
    assert (claimed[-1].number, claimed[-1].found) == (35, None)
    assert len(started) == 6
    assert all(one.poll() is not None for one in started)


@pytest.mark.parametrize("program", ["pass", "print('no pickle')"])
def test_a_process_that_dies_is_no_good_bundle(workshop, monkeypatch, program):
    workshop.fill(9_000)
    real = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda _command, **keywords: real([sys.executable, "-c", program], **keywords)
    )
    with pytest.raises(RecordError, match="died"):
        list(check_all(TreeFiles(workshop.folder), 9_002, workshop.origin, 2))


def test_a_worker_writes_its_share(workshop, monkeypatch, tmp_path):
    workshop.fill(600)
    with (tmp_path / "out").open("w+b") as out:
        monkeypatch.setattr(module.sys, "stdout", type("Text", (), {"buffer": out}))
        main([str(workshop.folder), "602", workshop.origin, "2", "0"])
        out.seek(0)
        numbers = [pickle.load(out)[0], pickle.load(out)[0]]
        assert out.read() == b""
    assert numbers == [0, 2]
