"""Erasing content on a running log: recorded first, finished after a crash, and nothing can be read or guessed after."""

import json
import os
from hashlib import sha256
from pathlib import Path

import pyrage
import pytest
import trio

from doorward_core import erasing as module
from doorward_core.config_record import RetentionRule, RetentionSettings
from doorward_core.erasing import Erasing, House, erasure_routes, read_asked
from doorward_core.event import Event, EventKind
from doorward_core.model import AuthMethod, Identity, Peer, PrincipalKind
from doorward_core.net.control import Call, Problem
from doorward_core.record import erasure as files
from doorward_core.record.encode import encode
from doorward_core.record.erasure import Erasure
from doorward_core.record.keys import parse_identities
from doorward_core.record.reader import Content, LogReader
from doorward_core.record.verify import verify
from doorward_core.record.writer import Log

NOW = 1_900_000_000_000_000_000
DAY = 86_400 * 1_000_000_000
CREW, SAM, OTHER = b"c" * 16, b"s" * 16, b"o" * 16
CANARY = "alice@example.com"
PRIVACY = frozenset({"dpo"})


class Place:
    """A sealed log with sessions of three subjects."""

    def __init__(self, root: Path, nursery, **retention) -> None:
        self.root, self.nursery = root, nursery
        self.identity = pyrage.x25519.Identity.generate()
        self.now, self.open, self.wiped = NOW, set(), []
        self.retention = RetentionSettings.model_construct(
            **{"content": None, "gateway": None, "rules": (), **retention}
        )

    async def start(self) -> "Place":
        self.log = await Log.open(
            self.root / "log",
            origin="gateway.example/a",
            signer=self.root / "keys/log.key",
            nursery=self.nursery,
            recipients=(str(self.identity.to_public()),),
            checkpoint_interval_s=30.0,
        )
        for session, subject, sponsor in (
            (CREW, "crew-7", "sam@example.com"),
            (SAM, "sam@example.com", ""),
            (OTHER, "o", ""),
        ):
            head = {"subject": subject, "issuer": "https://id.example", "sponsor": sponsor, "resource": subject}
            self.log.append(Event(EventKind.SESSION_OPENED, head, {"software": "psql"}, session), self.now)
            text = f"SELECT * FROM people WHERE mail = '{CANARY}'"
            last = self.log.append(Event(EventKind.OPERATION_DECIDED, {"seq": 1}, {"text": text}, session), self.now)
            self.log.append(Event(EventKind.SESSION_CLOSED, {}, {}, session), self.now)
        self.log.append(Event(EventKind.POLICY_LOADED, {}, {"texts": {}}), self.now)
        await self.log.durable(last)
        self.erasing = self.made()
        return self

    def made(self) -> Erasing:
        house = House(
            tree=self.root / "log",
            keys=self.keys,
            sealed=True,
            keep=self.keep,
            wipe=self.wipe,
            open_sessions=lambda: self.open,
            labels={"o": {"data": "personal"}},
            clock=lambda: self.now,
        )
        return Erasing(house, self.retention, self.nursery)

    async def keep(self, event: Event) -> int:
        index = self.log.append(event, self.now)
        await self.log.durable(index)
        return index

    async def wipe(self, sessions) -> int:
        self.wiped.append(sessions)
        return len(sessions)

    @property
    def keys(self) -> Path:
        return self.root / "keys/payload"

    def held(self) -> set[str]:
        return set(files.owners(self.keys)) - {"gateway"}

    async def close(self):
        await self.log.aclose()

    def entries(self):
        found = parse_identities(str(self.identity))
        return list(LogReader(self.root / "log", found, keys_folder=self.keys).entries())

    def erased_events(self):
        return [entry for entry in self.entries() if entry.kind == EventKind.CONTENT_ERASED]

    def report(self):
        return verify(self.root / "log", public_key=(self.root / "keys/log.vkey").read_text())


def asked(**given) -> Erasure:
    return Erasure(
        **{
            "id": "e1",
            "selector": "session",
            "sessions": (CREW.hex(),),
            "keys": (),
            "reason": "asked",
            "subject": "dora",
            "issuer": "i",
            **given,
        }
    )


@pytest.fixture
async def place(tmp_path):
    async with trio.open_nursery() as nursery:
        made = await Place(tmp_path, nursery).start()
        yield made
        await made.close()
        nursery.cancel_scope.cancel()


async def test_what_is_erased_cannot_be_read_and_everything_still_verifies(place):
    assert await place.erasing.erase(asked()) == (1, 1)
    await place.close()
    contents = {(entry.session_id, entry.kind): entry.content for entry in place.entries()}
    assert contents[CREW, "operation.decided"] is Content.ERASED
    assert contents[SAM, "operation.decided"] is Content.OPENED
    (event,) = place.erased_events()
    assert event.header["what"] == [CREW.hex()]
    assert (event.header["selector"], event.header["subject"]) == ("session", "dora")
    assert event.payload == {"reason": "asked"}
    assert place.wiped == [frozenset({CREW})]
    report = place.report()
    assert report.ok, report.problems
    assert files.owed(place.keys) == ()


async def test_it_is_on_record_before_a_key_is_gone(place, monkeypatch):
    seen = []

    def watched(folder, sessions, keys):
        seen.append([entry.header["what"] for entry in place.erased_events()])
        return 0

    monkeypatch.setattr(files, "delete_keys", watched)
    await place.erasing.erase(asked())
    assert seen == [[[CREW.hex()]]]


@pytest.mark.parametrize("step", ["keep", "delete_keys", "wipe", "settle"])
async def test_killed_at_any_step_it_is_finished_by_the_next_start(place, monkeypatch, step):
    class Killed(Exception):
        """Stands in for the end of the process."""

    def killed(*_):
        raise Killed

    target = {"delete_keys": files, "settle": files}.get(step)
    with monkeypatch.context() as patch:
        if target is not None:
            patch.setattr(target, step, killed)
        else:
            patch.setattr(place, step, killed)
            place.erasing = place.made()
        with pytest.raises(Killed):
            await place.erasing.erase(asked())
    again = place.made()
    await again.finish_owed()
    assert CREW.hex() not in place.held()
    assert files.owed(place.keys) == ()
    await place.close()
    assert place.erased_events()
    assert place.report().ok


async def test_nothing_in_the_clear_can_be_guessed_back(place):
    """Whoever has the tree, and knows the very body, cannot tell which entry it was in."""
    await place.erasing.erase(asked(sessions=(CREW.hex(), SAM.hex(), OTHER.hex())))
    await place.close()
    body = encode({"text": f"SELECT * FROM people WHERE mail = '{CANARY}'"})
    tree = b"".join(path.read_bytes() for path in sorted(place.root.rglob("*")) if path.is_file())
    guesses = [body, CANARY.encode(), body + bytes(32)]
    for entry in place.entries():
        known = (b"", bytes(32), entry.commitment, entry.session_id, entry.operation_id, entry.index.to_bytes(8, "big"))
        guesses += [b"doorward/commitment/v1\0" + salt + body for salt in known]
    for guess in guesses:
        assert sha256(guess).digest() not in tree
        assert guess not in tree


async def test_a_canary_is_in_no_file_beside_the_log(place):
    await place.close()
    for path in sorted(path for path in place.root.rglob("*") if path.is_file()):
        assert CANARY.encode() not in path.read_bytes(), path


async def test_a_subject_s_sessions_are_found_and_those_of_its_agents_if_asked(place):
    assert await place.erasing.of_subject("sam@example.com", "", sponsored=False) == ((SAM.hex(),), 0)
    assert (await place.erasing.of_subject("sam@example.com", "", sponsored=True))[0] == (CREW.hex(), SAM.hex())
    assert (await place.erasing.of_subject("sam@example.com", "https://other", sponsored=True))[0] == ()


def person(*groups, kind=PrincipalKind.HUMAN) -> Identity:
    return Identity("dora", "https://id.example", kind, frozenset(groups), AuthMethod.JWT, "jti-9", 0, 2**62)


@pytest.fixture
def api(place):
    routes = {(route.method, route.path): route for route in erasure_routes(place.erasing, PRIVACY)}

    async def call(method, path, *, who=None, body=None, **parameters):
        made = Call(method, path, {}, json.dumps(body).encode(), Peer("::1"), parameters, who or person("dpo"))
        with trio.fail_after(60):
            return json.loads((await routes[method, path].handler(made)).body)

    return call


ASK, LOOK = ("POST", "/v1/erasures"), ("GET", "/v1/erasures/{id}")


async def test_people_of_privacy_erase_and_are_told_how_far_it_is(place, api):
    done = await api(*ASK, body={"sessions": [CREW.hex().upper()], "reason": "article 17"})
    assert (done["state"], done["keys"], done["cards"], done["problem"]) == ("done", 1, 1, "")
    assert await api(*LOOK, id=done["id"]) == done
    done = await api(*ASK, body={"subject": "sam@example.com", "sponsored": True, "reason": "article 17"})
    assert (done["sessions"], done["keys"]) == ([SAM.hex()], 1)


async def test_a_dry_run_erases_nothing(place, api):
    done = await api(*ASK, body={"subject": "crew-7", "reason": "how many", "dry": True})
    assert (done["state"], done["sessions"]) == ("dry", [CREW.hex()])
    assert len(place.held()) == 3


async def test_a_session_that_is_open_is_not_erased(place, api):
    place.open = {CREW}
    done = await api(*ASK, body={"sessions": [CREW.hex()], "reason": "x"})
    assert (done["state"], CREW.hex() in done["problem"]) == ("refused", True)
    assert len(place.held()) == 3


@pytest.mark.parametrize("who", [person(), person("dba"), person("dpo", kind=PrincipalKind.AGENT)])
async def test_nobody_else_may_and_no_agent_ever(api, who):
    for route in (ASK, LOOK):
        with pytest.raises(Problem) as caught:
            await api(*route, who=who, body={"sessions": [CREW.hex()], "reason": "x"}, id="x")
        assert caught.value.status == 403


async def test_what_it_does_not_know_it_says(api):
    with pytest.raises(Problem, match="no such erasure"):
        await api(*LOOK, id="x")


@pytest.mark.parametrize(
    "body",
    [
        {"reason": "x"},
        {"sessions": ["00"], "reason": "x"},
        {"sessions": "x", "reason": "x"},
        {"sessions": ["aa" * 16], "subject": "a", "reason": "x"},
        {"subject": "a"},
        {"subject": "a", "reason": " "},
        {"subject": "a", "reason": "x" * 1001},
        {"subject": 1, "reason": "x"},
        {"subject": "a", "dry": "yes", "reason": "x"},
        {"subject": "a", "reason": "x", "more": 1},
    ],
)
def test_what_makes_no_sense_is_refused(body):
    with pytest.raises(Problem) as caught:
        read_asked(body)
    assert caught.value.status == 400


async def test_a_log_in_the_clear_is_said_to_stay(place, api, monkeypatch):
    object.__setattr__(
        place.erasing,
        "_house",
        module.House(**{**{name: getattr(place.erasing.house, name) for name in House.__slots__}, "sealed": False}),
    )
    with pytest.raises(Problem, match="in the clear"):
        await api(*ASK, body={"sessions": [CREW.hex()], "reason": "x"})


async def test_what_is_older_than_its_retention_goes_by_itself_and_the_shortest_rule_counts(place):
    rule = RetentionRule(labels={"data": "personal"}, content="10d")
    place.retention = RetentionSettings(content="30d", rules=(rule,))
    erasing = place.made()
    place.now = NOW + 10 * DAY - 1
    assert await erasing.retain() == 0
    place.now += 1
    assert await erasing.retain() == 1
    assert place.held() == {CREW.hex(), SAM.hex()}
    place.open = {CREW}
    place.now = NOW + 30 * DAY
    assert await erasing.retain() == 1
    assert place.held() == {CREW.hex()}, "one that is open stays"
    await place.close()
    assert [event.header["selector"] for event in place.erased_events()] == ["retention", "retention"]
    assert place.report().ok


async def test_keys_outside_of_sessions_go_once_they_are_old_and_of_an_earlier_run(place):
    place.retention = RetentionSettings(gateway="1d")
    (path,) = files.owners(place.keys)["gateway"]
    place.now = path.stat().st_mtime_ns + 2 * DAY
    assert await place.made().retain() == 1  # an earlier run's, for one that begins now
    assert not path.exists()
    path.write_bytes(b"this run's")
    os.utime(path, ns=(place.now + 1, place.now + 1))
    erasing = place.made()
    place.now += 3 * DAY
    assert await erasing.retain() == 0
    assert path.exists()


async def test_the_ids_of_many_sessions_fill_several_events(place):
    many = tuple(f"{number:032x}" for number in range(600))
    assert [len(event.header["what"]) for event in module.told(asked(sessions=many))] == [256, 256, 88]
    assert await place.erasing.erase(asked(sessions=many)) == (0, 600)
