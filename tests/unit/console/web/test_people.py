import pytest

from doorward_console.settings import Roles
from doorward_console.web.people import EVERYBODY, Person, Role, roles_of
from doorward_core.model import AuthMethod, Identity, PrincipalKind, Secret


def identity(kind=PrincipalKind.HUMAN, groups=("dba",), display=""):
    return Identity("tom", "https://id", kind, frozenset(groups), AuthMethod.JWT, "j", 0, 1, display=display)


ROLES = Roles(approver=("dba",), auditor=("audit",))


@pytest.mark.parametrize(
    ("groups", "roles"),
    [
        (("dba",), {Role.APPROVER}),
        (("dba", "audit"), {Role.APPROVER, Role.AUDITOR}),
        (("sales",), set()),
        ((), set()),
    ],
)
def test_roles_come_of_groups(groups, roles):
    assert roles_of(identity(groups=groups), ROLES) == roles


def test_ap_01_an_agent_has_no_role_whatever_its_groups():
    assert roles_of(identity(PrincipalKind.AGENT), ROLES) == frozenset()


def test_a_person_does_not_show_their_token():
    person = Person(identity(display="Tom"), frozenset({Role.APPROVER}), Secret("token-text"))
    assert "token-text" not in repr(person)
    assert person.name == "Tom"
    assert person.may(EVERYBODY)
    assert not person.may(frozenset({Role.AUDITOR}))


def test_whoever_has_no_role_reads_which_groups_were_looked_at():
    def told(*groups):
        return Person(identity(groups=groups, display="Tom"), frozenset(), Secret("t")).without_a_role

    assert told("sales", "hr") == "You are Tom, and none of your groups (hr, sales) has a role at this desk."
    assert "your token names no groups" in told()
    assert "login.groups_claim" in told()
    many = told(*(f"team-{number:02}" for number in range(12)))
    assert "team-09 and 2 more)" in many
    assert "team-10" not in many
