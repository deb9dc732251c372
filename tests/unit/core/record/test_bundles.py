"""Bundles in order, in one process or in several; equality of the reports is tested in test_verify.py."""

from doorward_core.record.bundles import check_all
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
