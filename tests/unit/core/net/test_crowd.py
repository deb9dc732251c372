"""Places of those who have not proved who they are: all of them for one address, until another wants one."""

import pytest

from doorward_core.net.crowd import Crowd, source


def _crowd(places, *hosts):
    crowd = Crowd(places)
    for number, host in enumerate(hosts):
        crowd.enter(host, number)
    return crowd


def test_one_address_may_have_all_of_it_and_has_nothing_to_take_from():
    crowd = _crowd(3, "192.0.2.1", "192.0.2.1", "192.0.2.1")
    assert crowd.full()
    assert crowd.yields_to("192.0.2.1") is None


def test_another_address_takes_what_the_most_crowded_has_held_longest():
    crowd = _crowd(4, "192.0.2.9", "192.0.2.1", "192.0.2.1", "192.0.2.1")
    assert crowd.yields_to("192.0.2.2") == 1
    assert crowd.yields_to("192.0.2.9") == 1


def test_nobody_yields_where_that_would_only_turn_the_tables():
    crowd = _crowd(4, "192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2")
    assert crowd.yields_to("192.0.2.1") is None
    assert crowd.yields_to("192.0.2.3") == 0
    assert _crowd(2, "192.0.2.1", "192.0.2.2").yields_to("192.0.2.3") is None


def test_places_come_back_once():
    crowd = _crowd(2, "192.0.2.1", "192.0.2.1")
    crowd.leave("192.0.2.1", 0)
    crowd.leave("192.0.2.1", 0)
    crowd.leave("192.0.2.7", 5)
    assert len(crowd) == 1
    crowd.leave("192.0.2.1", 1)
    assert len(crowd) == 0
    assert Crowd(0).yields_to("192.0.2.1") is None


@pytest.mark.parametrize(
    ("host", "counts_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("uid:1000", "uid:1000"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_an_address_counts_as_its_site(host, counts_as):
    assert source(host) == counts_as
