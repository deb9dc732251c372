import trio

from doorward_console.web.desk import Place, opened
from doorward_console.web.people import EVERYBODY, Person, Role
from doorward_core.model import AuthMethod, Identity, PrincipalKind, Secret
from doorward_core.record.reader import LogReader


async def test_a_desk_opens_its_own_log_and_closes_it_last(stand):
    settings = stand.settings()
    who = Identity("ana", "https://id", PrincipalKind.HUMAN, frozenset(), AuthMethod.JWT, "j", 0, 1)
    async with trio.open_nursery() as nursery:
        async with opened(settings, nursery) as desk:
            await desk.read(Person(who, frozenset({Role.AUDITOR}), Secret("t")), "session", "0123", "10.0.0.1")
            kinds = [entry.kind for entry in LogReader(settings.record.folder).entries()]
            assert kinds[-1] == "desk.read"
        nursery.cancel_scope.cancel()
    entries = list(LogReader(settings.record.folder).entries())
    assert [entry.kind for entry in entries] == ["log.opened", "desk.read", "log.closed"]
    assert entries[1].header["name"] == "0123"
    assert settings.record.keys.stat().st_mode & 0o077 == 0


def test_a_place_of_the_menu_is_for_everybody_unless_it_says_otherwise():
    assert Place("Inbox", "/").roles == EVERYBODY
