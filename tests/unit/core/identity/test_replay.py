from doorward_core.identity.replay import ReplayMemory
from doorward_core.identity.token import Replay
from doorward_core.model import AuthMethod, Identity, PrincipalKind


def identity(credential_id: str = "j", expires_ns: int = 100, issuer: str = "https://idp.example") -> Identity:
    return Identity(
        subject="crew-7",
        issuer=issuer,
        kind=PrincipalKind.AGENT,
        groups=frozenset(),
        method=AuthMethod.JWT,
        credential_id=credential_id,
        authenticated_unix_ns=0,
        expires_unix_ns=expires_ns,
    )


def test_by_default_a_token_may_come_again():
    memory = ReplayMemory()
    for address in ("a", "b", "a"):
        assert memory.problem(identity(), Replay.ALLOW, address, 0) == ""


def test_once_means_once():
    memory = ReplayMemory()
    assert memory.problem(identity(), Replay.ONCE, "a", 0) == ""
    assert memory.problem(identity(), Replay.ONCE, "a", 0)
    assert memory.problem(identity("other"), Replay.ONCE, "a", 0) == ""


def test_the_same_source_may_come_again_and_no_other():
    memory = ReplayMemory()
    assert memory.problem(identity(), Replay.SAME_SOURCE, "a", 0) == ""
    assert memory.problem(identity(), Replay.SAME_SOURCE, "a", 0) == ""
    assert memory.problem(identity(), Replay.SAME_SOURCE, "b", 0)


def test_ids_of_two_issuers_are_two_ids():
    memory = ReplayMemory()
    assert memory.problem(identity(), Replay.ONCE, "a", 0) == ""
    assert memory.problem(identity(issuer="https://other.example"), Replay.ONCE, "a", 0) == ""


def test_a_full_memory_refuses_rather_than_forgets_what_is_alive():
    memory = ReplayMemory(limit=2)
    assert memory.problem(identity("1", 50), Replay.ONCE, "a", 0) == ""
    assert memory.problem(identity("2", 100), Replay.ONCE, "a", 0) == ""
    assert "too many" in memory.problem(identity("3"), Replay.ONCE, "a", 49)
    assert memory.problem(identity("3"), Replay.ONCE, "a", 50) == ""
    assert memory.problem(identity("2"), Replay.ONCE, "a", 50)
