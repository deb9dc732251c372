import pytest
import trio

from doorward_console.web.diary import Diary
from doorward_console.web.people import Person, Role
from doorward_core.errors import RecordError
from doorward_core.event import EventKind
from doorward_core.model import AuthMethod, Identity, PrincipalKind, Secret
from doorward_core.record.memory import MemoryLog

WHO = Person(
    Identity("ana", "https://id", PrincipalKind.HUMAN, frozenset(), AuthMethod.JWT, "jti-1", 0, 1),
    frozenset({Role.AUDITOR}),
    Secret("token-text"),
)


async def test_each_kind_says_who_and_what():
    log = MemoryLog()
    diary = Diary(log, lambda: 7)
    await diary.login(WHO, "10.0.0.1", fresh=True)
    await diary.refused("page", "10.0.0.1", WHO)
    await diary.read(WHO, "search", "", "10.0.0.1", words="customer 42")
    login, refused, read = log.events
    assert (login.kind, login.header["roles"], login.header["credential"]) == (
        EventKind.DESK_LOGIN,
        ["auditor"],
        "jti-1",
    )
    assert (refused.kind, refused.header["reason"], refused.header["subject"]) == (
        EventKind.DESK_REFUSED,
        "page",
        "ana",
    )
    assert (read.kind, read.header["what"], read.payload) == (EventKind.DESK_READ, "search", {"words": "customer 42"})
    assert "customer 42" not in str(read.header)
    assert "token-text" not in str(log.events)


async def test_reading_waits_until_it_is_on_stable_storage(autojump_clock):
    log = MemoryLog()
    log.hold_durability = True
    with trio.move_on_after(5) as scope:
        await Diary(log, lambda: 7).read(WHO, "session", "x", "")
    assert scope.cancelled_caught


async def test_a_log_that_failed_lets_nothing_be_read():
    log = MemoryLog()
    log.fail("no space")
    diary = Diary(log, lambda: 7)
    assert diary.failed == "no space"
    with pytest.raises(RecordError):
        await diary.read(WHO, "session", "x", "")
