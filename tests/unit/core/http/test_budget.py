"""What request bodies may take of memory."""

import pytest

from doorward_core.http.budget import Budget, NoRoom

ADA, BOB = ("https://idp", "ada"), ("https://idp", "bob")


def test_no_more_is_given_out_than_there_is():
    budget = Budget(400)
    shares = [budget.share(("https://idp", f"agent-{number}")) for number in range(5)]
    for share in shares[:4]:
        share.hold(100)
    with pytest.raises(NoRoom):
        shares[4].hold(1)
    shares[0].release()
    shares[4].hold(100)


def test_one_principal_leaves_room_for_the_others():
    budget = Budget(400)
    first, second = budget.share(ADA), budget.share(ADA)
    first.hold(90)
    with pytest.raises(NoRoom):
        second.hold(11)
    second.hold(10)
    budget.share(BOB).hold(100)


def test_the_same_name_of_another_issuer_is_another():
    budget = Budget(400)
    budget.share(ADA).hold(100)
    budget.share(("https://other", "ada")).hold(100)


def test_a_share_grows_to_what_it_holds_and_is_given_back_once():
    budget = Budget(400)
    share, other = budget.share(ADA), budget.share(ADA)
    for size in (10, 60, 60, 20):
        share.hold(size)
    other.hold(40)
    with pytest.raises(NoRoom):
        share.hold(61)
    share.release()
    share.release()
    other.hold(100)
    with pytest.raises(NoRoom):
        share.hold(1)
