"""Who did what in a time, counted."""

from doorward_console.review.ledger import ledger


def test_what_was_done_is_counted_to_its_principal(counted):
    assert {subject for _, subject in counted.principals} == {"crew-7", "crew-9"}
    crew = counted.principals["https://id", "crew-7"].uses["shop"]
    assert (crew.sessions, dict(crew.did), crew.denied, crew.held) == (1, {"read": 1, "write": 2}, 1, 1)
    assert counted.operations == 5


def test_rules_are_counted_where_they_let_somebody_on(counted):
    assert {name: rule.used for name, rule in counted.rules.items()} == {"reads": 2, "writes": 2}
    assert len(counted.rules["reads"].principals) == 2


def test_grants_are_followed_from_the_asking_to_the_end(counted):
    assert {name: (grant.state, grant.used) for name, grant in counted.grants.items()} == {
        "ap-1": ("granted", 1),
        "ap-2": ("granted", 0),
        "bg-1": ("review owed", 0),
        "bg-2": ("reviewed", 0),
    }
    first = counted.grants["ap-1"]
    assert first.until_unix_ns == first.asked_unix_ns + 1 + 7_200_000_000_000


def test_votes_that_did_not_count_are_apart(counted):
    dora = counted.approvers["https://id", "dora"]
    assert (dora.approved, dora.rejected, dora.refused) == (1, 0, 1)


def test_what_lies_outside_of_the_time_is_not_counted(weeks):
    assert not ledger(weeks, since_unix_ns=weeks[-1].time_unix_ns + 1).principals
    assert set(ledger(weeks, until_unix_ns=weeks[3].time_unix_ns).principals) == {("https://id", "gone")}
