"""An access review: what a reviewer has to decide about is named, and nothing else is."""

from dataclasses import replace

import pytest

from doorward_console.review.report import review
from doorward_core.model import Resource

DAY, NOW = 86_400_000_000_000, 1_800_000_000_000_000_000
RESOURCES = {"shop": Resource("shop", "postgres"), "manual": Resource("manual", "http")}


@pytest.fixture
def made(counted, policy):
    return review(counted, policy, RESOURCES, origin="gw", since_unix_ns=NOW - 90 * DAY, until_unix_ns=NOW)


def test_who_could_and_who_did_stand_side_by_side(made):
    crew = next(one for one in made.principals if one.subject == "crew-7")
    shop, manual = crew.reach
    assert (shop.could, dict(shop.did), shop.unused) == (("read", "write"), {"read": 1, "write": 2}, ())
    assert (manual.could, manual.did, manual.unused) == (("read",), {}, ("read",))


def test_what_nobody_needs_and_nobody_owns_is_found(made):
    found = {(one.kind, one.about) for one in made.findings}
    assert found == {
        ("no owner", "crew-9"),
        ("never used", "crew-7"),
        ("never used", "crew-9"),
        ("never used", "old-script"),
        ("never used", "help"),
        ("no owner", "ap-2 of crew-7 on shop"),
        ("never used", "ap-2 of crew-7 on shop"),
        ("review owed", "bg-1 of crew-7 on shop"),
    }


def test_a_rule_for_everybody_that_is_used_is_named(counted, policy):
    rule = replace(counted.rules["reads"])
    counted.rules["help"] = rule
    made = review(counted, policy, RESOURCES, origin="gw", since_unix_ns=0, until_unix_ns=NOW)
    assert ("everybody", "help") in {(one.kind, one.about) for one in made.findings}


def test_grants_say_whether_they_stand(counted, policy):
    at = counted.grants["ap-1"].until_unix_ns
    for until, state in ((at - 1, "stands"), (at, "ended")):
        made = review(counted, policy, {}, origin="gw", since_unix_ns=0, until_unix_ns=until)
        assert {one.name: one.state for one in made.grants}["ap-1"] == state


def test_the_digest_is_over_all_that_is_said(made):
    assert made.digest == replace(made).digest
    assert made.digest != replace(made, operations=made.operations + 1).digest
    assert made.digest != replace(made, findings=made.findings[1:]).digest
