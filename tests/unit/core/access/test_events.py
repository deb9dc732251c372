"""What the log is told of revocations and broken glass: names in the header, reasons in the payload."""

from doorward_core.access import events
from doorward_core.access.ledger import Review


def test_a_revocation_names_who_did_it_and_whom_it_means(person, a_revocation, peer):
    made = events.revoked(a_revocation(), person(), peer, 3)
    assert made.header == {
        "operator": "dora",
        "operator_issuer": "https://id.example",
        "operator_credential": "jti-1",
        "peer": "::1",
        "revocation": "rv-1",
        "what": "subject",
        "value": "crew-7",
        "sessions": 3,
    }
    assert made.payload == {"reason": "it runs wild"}
    lifted = events.restored(a_revocation(), person(), peer, "it is mended")
    assert "sessions" not in lifted.header
    assert lifted.payload == {"reason": "it is mended"}


def test_standing_access_that_is_taken_back_names_its_request(person, peer):
    made = events.standing_revoked("ap-1", person(), peer, "done")
    assert (made.header["what"], made.header["value"], made.header["request"]) == ("standing", "ap-1", "ap-1")


def test_broken_glass_and_its_review_name_the_opening(person, an_opening, peer):
    opened = events.opened(an_opening(), person(), peer)
    assert (opened.header["request"], opened.header["resource"], opened.header["subject"]) == ("bg-1", "shop", "dora")
    assert opened.payload["reason"] == "the shop is down"
    review = Review("eve", "https://id.example", "all well", 5)
    reviewed = events.reviewed(an_opening(), review, person("eve"), peer)
    assert (reviewed.header["request"], reviewed.header["subject"], reviewed.header["reviewer"]) == (
        "bg-1",
        "dora",
        "eve",
    )
    assert reviewed.payload == {"words": "all well"}
