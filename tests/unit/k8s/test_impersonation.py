"""The cluster is told who was verified, and nobody becomes one of its own."""

import pytest

from doorward_core.model import AuthMethod, Identity, Peer, PrincipalKind, Resource, Session
from doorward_k8s.impersonation import NotImpersonable, claims_identity, impersonation
from doorward_k8s.settings import Impersonate


def session(subject="ana", groups=("crew",)):
    who = Identity(
        subject, "https://idp", PrincipalKind.AGENT, frozenset(groups), AuthMethod.JWT, "1", 0, 9, sponsor="tom"
    )
    return Session(b"s" * 16, who, Resource("prod", "k8s"), "gateway", Peer(""), "gw", 0, b"")


def test_the_verified_identity_is_told_under_a_prefix():
    told = impersonation(session(groups=("b", "a")), Impersonate())
    assert told == (
        (b"impersonate-user", b"doorward:ana"),
        (b"impersonate-group", b"doorward:a"),
        (b"impersonate-group", b"doorward:b"),
        (b"impersonate-extra-doorward-issuer", b"https://idp"),
        (b"impersonate-extra-doorward-kind", b"agent"),
        (b"impersonate-extra-doorward-sponsor", b"tom"),
        (b"impersonate-extra-doorward-session", (b"s" * 16).hex().encode()),
    )
    assert impersonation(session(), Impersonate(prefix="", groups=False, extra=False)) == (
        (b"impersonate-user", b"ana"),
    )


@pytest.mark.parametrize(
    ("subject", "groups"),
    [
        ("system:admin", ()),
        ("ana", ("system:masters",)),
        ("a\r\nb", ()),
        ("é", ()),
        (" a", ()),
        ("ana", map(str, range(300))),
    ],
)
def test_nobody_becomes_one_of_the_clusters_own_and_no_name_breaks_a_header(subject, groups):
    with pytest.raises(NotImpersonable):
        impersonation(session(subject, groups), Impersonate(prefix=""))


@pytest.mark.parametrize(
    "name",
    [b"impersonate-user", b"Impersonate_User", b"impersonate-extra-a%2fb", b"impersonate-uid", b"x-remote-user",
     b"x_remote_extra_scopes", b"impersonate.group"],
)  # fmt: skip
def test_a_clients_word_about_itself_is_seen_in_every_spelling(name):
    assert claims_identity(((b"accept", b"x"), (name, b"root")))


def test_other_headers_claim_nothing():
    assert not claims_identity(((b"accept", b"x"), (b"user-agent", b"impersonate-user")))
