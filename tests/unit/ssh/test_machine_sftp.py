"""The SFTP machine: what is asked, what waits, what is refused, and what is never sent."""

import pytest
from sftp_stand import Stand, Target

from doorward_core.errors import ClientProtocolError, UpstreamProtocolError
from doorward_core.event import Status
from doorward_ssh import wire_sftp as wire
from doorward_ssh.machine_sftp import CHANGED, Machine
from doorward_ssh.machine_sftp_line import MAX_OUTSTANDING
from doorward_ssh.wire_sftp import Code, Flag, Kind, Request


def _yes(facts) -> bool:
    return True


def _no(facts) -> bool:
    return False


def _sent(stand: Stand) -> list[int]:
    """What reached the target besides questions about paths."""
    return [item.kind for item in stand.target.requests if item.kind not in {Kind.REALPATH, Kind.LSTAT}]


def test_the_greeting_announces_only_what_is_known() -> None:
    kind, version, body = Stand().hello
    assert (kind, version) == (Kind.VERSION, 3)
    assert [name.decode() for name, _ in wire.decode_hello(body)] == list(wire.EXTENSIONS)


def test_an_extension_that_the_target_does_not_offer_is_not_asked_of_it() -> None:
    target = Target()
    target.extensions = ((b"limits@openssh.com", b"1"),)
    stand = Stand(target=target, allow=_yes)
    assert stand.code(Request(Kind.EXTENDED, 1, name=wire.HARDLINK, path=b"/a", other=b"/b")) == Code.OP_UNSUPPORTED
    assert not target.requests


@pytest.mark.parametrize("packet", [wire.packet(Kind.INIT, 2), wire.packet(Kind.STAT, 3, wire.string(b"/"))])
def test_a_client_begins_with_init(packet: bytes) -> None:
    with pytest.raises(ClientProtocolError):
        Machine(openssh=True).from_client(packet)


@pytest.mark.parametrize(
    "packet", [wire.packet(Kind.VERSION, 6), wire.encode_status(3, 0, ""), wire.packet(Kind.VERSION, 3, b"\0")]
)
def test_a_target_of_another_version_ends_the_channel(packet: bytes) -> None:
    machine = Machine(openssh=True)
    machine.from_client(wire.encode_hello(Kind.INIT))
    with pytest.raises(UpstreamProtocolError):
        machine.from_server(packet)


def test_where_the_account_begins_is_answered_without_a_question() -> None:
    stand = Stand()
    kind, body = stand.ask(Request(Kind.REALPATH, 5, path=b"."))
    assert (kind, wire.decode_names(body)[0][0]) == (Kind.NAME, b"/home/deploy")
    assert not stand.asked
    assert not stand.target.requests


def test_nothing_is_sent_before_it_is_permitted() -> None:
    stand = Stand()
    stand.send(Request(Kind.REMOVE, 1, path=b"/srv/a.txt"))
    assert _sent(stand) == []
    stand.decide(stand.asked[0], yes=True)
    stand.settle()
    assert _sent(stand) == [Kind.REMOVE]
    assert stand.answers[0][:2] == (Kind.STATUS, 1)


def test_a_refusal_is_permission_denied_with_words_and_reaches_nobody() -> None:
    stand = Stand(allow=_no)
    kind, body = stand.ask(Request(Kind.REMOVE, 9, path=b"/srv/a.txt"))
    assert (kind, wire.decode_status(body)) == (Kind.STATUS, (Code.PERMISSION_DENIED, b"refused: no rule allows it"))
    assert _sent(stand) == []


def test_a_missing_file_is_told_only_to_who_may_know() -> None:
    missing = Request(Kind.STAT, 1, path=b"/srv/no/deep/file")
    assert Stand(allow=_no).code(missing) == Code.PERMISSION_DENIED
    stand = Stand(allow=_yes)
    assert stand.code(missing) == Code.NO_SUCH_FILE
    assert _sent(stand) == []
    assert stand.outcomes[0][1].native_code == "SSH_FX_NO_SUCH_FILE"


def test_two_requests_of_one_id_each_get_their_own_answer() -> None:
    stand = Stand(allow=_yes)
    stand.send(Request(Kind.STAT, 4, path=b"/srv"), Request(Kind.STAT, 4, path=b"/missing"))
    assert sorted(kind for kind, number, _ in stand.answers if number == 4) == [Kind.STATUS, Kind.ATTRS]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (wire.packet(99, 1), Code.OP_UNSUPPORTED),
        (wire.packet(Kind.EXTENDED, 1, wire.string(b"check-file"), b"x"), Code.OP_UNSUPPORTED),
        (wire.packet(Kind.STAT, 1, wire.string(b"/a\0b")), Code.BAD_MESSAGE),
        (wire.packet(Kind.OPEN, 1, wire.string(b"/a"), (0x40).to_bytes(4, "big"), bytes(4)), Code.OP_UNSUPPORTED),
        (wire.packet(Kind.STAT, 1, wire.string(b"")), Code.NO_SUCH_FILE),
        (wire.packet(Kind.CLOSE, 1, wire.string(b"forged")), Code.FAILURE),
        (wire.packet(Kind.INIT, 3), Code.OP_UNSUPPORTED),
    ],
)
def test_what_is_not_known_is_refused_and_the_channel_lives(request_: bytes, code: int) -> None:
    stand = Stand(allow=_yes)
    stand.feed(request_)
    assert wire.decode_status(stand.answers.pop()[2])[0] == code
    assert stand.code(Request(Kind.STAT, 2, path=b"/srv")) == Code.OK
    assert _sent(stand) == [Kind.STAT]


def test_limits_are_the_smaller_of_both() -> None:
    kind, body = Stand().ask(Request(Kind.EXTENDED, 1, name=wire.LIMITS))
    assert kind == Kind.EXTENDED_REPLY
    assert [int.from_bytes(body[at : at + 8], "big") for at in range(0, 32, 8)] == [256 * 1024, 255 * 1024, 1000, 9]


def test_a_hold_keeps_nobody_else_waiting() -> None:
    stand = Stand()
    stand.send(Request(Kind.REMOVE, 1, path=b"/srv/a.txt"))
    stand.machine.hold(stand.asked[0])
    stand.send(Request(Kind.STAT, 2, path=b"/srv"))
    stand.decide(stand.asked[1], yes=True)
    stand.settle()
    assert [number for _, number, _ in stand.answers] == [2]


def test_what_was_held_goes_on_where_it_still_leads_to_the_same_place() -> None:
    stand = Stand()
    stand.send(Request(Kind.REMOVE, 1, path=b"/srv/a.txt"))
    stand.machine.hold(stand.asked[0])
    stand.decide(stand.asked[0], yes=True)
    stand.settle()
    assert _sent(stand) == [Kind.REMOVE]
    assert stand.outcomes[0][1].status is Status.OK


def test_what_was_held_and_leads_elsewhere_now_is_refused() -> None:
    stand = Stand()
    stand.target.files["/srv/now"] = "/srv/a.txt"
    stand.send(Request(Kind.OPEN, 1, path=b"/srv/now", flags=Flag.READ))
    stand.machine.hold(stand.asked[0])
    stand.target.files["/srv/now"] = "/etc/shadow"
    stand.decide(stand.asked[0], yes=True)
    stand.settle()
    kind, _, body = stand.answers.pop()
    assert (kind, wire.decode_status(body)) == (Kind.STATUS, (Code.PERMISSION_DENIED, CHANGED.encode()))
    assert _sent(stand) == []
    assert stand.outcomes[0][1].status is Status.ABORTED


def test_while_paths_are_rearranged_nothing_else_looks_at_them() -> None:
    stand = Stand()
    stand.send(
        Request(Kind.STAT, 1, path=b"/srv/a.txt"),
        Request(Kind.RENAME, 2, path=b"/srv/a.txt", other=b"/srv/b.txt"),
        Request(Kind.STAT, 3, path=b"/srv/b.txt"),
    )
    assert [task.request.id for task in stand.asked] == [1]
    stand.decide(stand.asked[0], yes=True)
    stand.settle()
    assert [task.request.id for task in stand.asked] == [1, 2]
    stand.decide(stand.asked[1], yes=True)
    stand.settle()
    assert [task.request.id for task in stand.asked] == [1, 2, 3]
    assert [number for _, number, _ in stand.answers] == [1, 2]


def test_a_client_that_asks_without_end_waits_and_loses_nothing() -> None:
    stand = Stand()
    stand.send(*(Request(Kind.STAT, number, path=b"/srv") for number in range(MAX_OUTSTANDING + 50)))
    assert len(stand.asked) == MAX_OUTSTANDING
    assert stand.machine.buffered_bytes > 0
    for task in stand.asked[:60]:
        stand.decide(task, yes=False)
    stand.settle()
    assert len(stand.asked) == MAX_OUTSTANDING + 50
    assert stand.machine.buffered_bytes == 0


@pytest.mark.parametrize(
    "answer",
    [
        wire.encode_status(12345, 0, ""),
        wire.encode_handle(0, b"h"),
        b"\xff\xff\xff\xff",
    ],
)
def test_a_target_that_answers_what_was_not_asked_ends_the_channel(answer: bytes) -> None:
    with pytest.raises(UpstreamProtocolError):
        Stand().machine.from_server(answer)


def test_a_target_that_answers_with_another_kind_ends_the_channel() -> None:
    class Liar(Target):
        def answer(self, request: Request) -> bytes:
            return wire.encode_data(request.id, b"x") if request.kind == Kind.STAT else super().answer(request)

    with pytest.raises(UpstreamProtocolError):
        Stand(target=Liar(), allow=_yes).send(Request(Kind.STAT, 1, path=b"/srv"))


def test_what_has_not_ended_with_the_channel_ends_aborted() -> None:
    stand = Stand(allow=_yes)
    stand.open(b"/srv/a.txt")
    stand.machine.from_client(wire.encode(Request(Kind.REMOVE, 2, path=b"/srv/b")))
    stand.machine.abandon()
    assert [outcome.status for _, outcome in stand.machine.line.finished] == [Status.ABORTED]
