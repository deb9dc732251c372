from doorward_console.web.people import Person, Role
from doorward_console.web.sessions import MAX_EACH, Sessions
from doorward_core.model import AuthMethod, Identity, PrincipalKind, Secret

S = 1_000_000_000


class Clock:
    now = 1_000 * S

    def __call__(self):
        return self.now


def somebody(subject="tom"):
    who = Identity(subject, "https://id", PrincipalKind.HUMAN, frozenset(), AuthMethod.JWT, "j", 0, 10**30)
    return Person(who, frozenset({Role.APPROVER}), Secret("t"))


def opened(clock, **how):
    return Sessions(**{"idle_s": 60, "session_s": 600, **how}, clock=clock)


def test_an_id_is_new_each_time_and_is_not_kept():
    sessions = opened(Clock())
    first, second = sessions.open(somebody(), None), sessions.open(somebody(), None)
    assert first != second
    assert len(first) >= 43
    assert not any(first.encode() in key for key in sessions._kept)
    assert sessions.find(first).csrf != sessions.find(second).csrf


def test_an_id_that_was_not_given_is_nobodys():
    sessions = opened(Clock())
    for name in ("", "x", "\udcff", "a" * 10_000):
        assert sessions.find(name) is None


def test_a_session_ends_when_idle_and_at_its_limit():
    clock = Clock()
    sessions = opened(clock)
    idle, busy = sessions.open(somebody(), None), sessions.open(somebody(), None)
    session = sessions.find(idle)
    for _ in range(12):
        clock.now += 50 * S
        sessions.find(busy)
    assert sessions.find(idle) is None
    assert session.ended.is_set()
    assert sessions.find(busy) is None


def test_being_seen_keeps_it():
    clock = Clock()
    sessions = opened(clock)
    name = sessions.open(somebody(), None)
    for _ in range(5):
        clock.now += 59 * S
        assert sessions.find(name) is not None


def test_a_page_that_asks_by_itself_keeps_no_idle_session_alive():
    clock = Clock()
    sessions = opened(clock)
    name = sessions.open(somebody(), None)
    for _ in range(2):
        clock.now += 29 * S
        assert sessions.find(name, seen=False) is not None
    clock.now += 2 * S
    assert sessions.find(name, seen=False) is None


def test_one_persons_many_logins_push_out_their_own_alone():
    clock = Clock()
    sessions = opened(clock)
    other = sessions.open(somebody("tina"), None)
    names = []
    for _ in range(MAX_EACH + 3):
        clock.now += S
        names.append(sessions.open(somebody(), None))
    assert sessions.find(other) is not None
    assert [sessions.find(name) is None for name in names] == [True] * 3 + [False] * MAX_EACH


def test_a_form_is_taken_with_the_sessions_own_token_alone():
    sessions = opened(Clock())
    session = sessions.find(sessions.open(somebody(), None))
    assert session.accepts(session.csrf)
    assert not any(session.accepts(given) for given in ("", "x", session.csrf[:-1], "\udcff"))


def test_closing_is_for_good():
    sessions = opened(Clock())
    name = sessions.open(somebody(), None)
    sessions.close(name)
    sessions.close(name)
    assert (sessions.find(name), len(sessions)) == (None, 0)
