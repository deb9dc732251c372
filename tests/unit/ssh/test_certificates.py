"""The certificate routes, over a real gate; the log is in memory, the clock stands still."""

import subprocess

import pytest
import trio
import trio.testing
from certificate_room import LINE, NOW, Room, S, person
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.errors import RecordError
from doorward_core.event import EventKind
from doorward_core.identity.ssh_certificate import issue, issue_upstream
from doorward_core.identity.ssh_keys import blob, public_line
from doorward_core.model import AuthMethod
from doorward_core.net.control import Problem


@pytest.fixture
async def room(tmp_path):
    made = Room(tmp_path, {"web1": ("deploy", "root"), "web2": ("deploy",), "db1": ("postgres",)})
    yield made
    made.store.close()


async def test_a_certificate_names_what_policy_grants_its_holder_and_the_jump_name(room):
    answer = await room.certificate(person("ops"))
    assert answer["principals"] == ["postgres@db1", "deploy@web1", "root@web1", "deploy@web2", "jump"]
    assert room.verify(answer, "deploy@web2").subject == "maria"
    assert (await room.certificate(person("dba")))["principals"] == ["postgres@db1", "jump"]


async def test_it_is_on_record_with_who_got_what_for_which_token(room):
    answer = await room.certificate(person("dba"), sources=["10.0.0.0/8"])
    (event,) = (event for event in room.log.events if event.kind is EventKind.CREDENTIAL_ISSUED)
    assert (event.header["subject"], event.header["credential"], event.header["peer"]) == ("maria", "jti-1", "10.0.0.1")
    assert (event.header["kind"], str(event.header["serial"])) == ("ssh-certificate", answer["serial"])
    assert event.payload["principals"] == answer["principals"]
    assert event.payload["sources"] == ["10.0.0.0/8"]
    assert event.payload["key"].startswith("SHA256:")


async def test_nothing_is_given_out_that_is_not_on_record(room, nursery):
    room.log.hold_durability = True
    answers = []

    async def ask():
        answers.append(await room.certificate(person("dba")))

    nursery.start_soon(ask)
    await trio.testing.wait_all_tasks_blocked()
    assert answers == []
    room.log.hold_durability = False
    with trio.fail_after(30):
        while not answers:
            await trio.lowlevel.checkpoint()
    room.log.fail("the disk is full")
    with pytest.raises(RecordError):
        await room.certificate(person("dba"))


async def test_fewer_names_may_be_asked_for_and_no_others(room):
    assert (await room.certificate(person("ops"), principals=["deploy@web1"]))["principals"] == ["deploy@web1", "jump"]
    assert (await room.certificate(person("ops"), principals=["jump"]))["principals"] == ["jump"]
    for name in ("root@web2", "deploy@web3", "deploy", "", "deploy@web1,root@web1"):
        with pytest.raises(Problem, match="not granted") as caught:
            await room.certificate(person("ops"), principals=["deploy@web1", name])
        assert caught.value.status == 403


async def test_whom_no_rule_knows_gets_none(room):
    with pytest.raises(Problem, match="no rule grants maria"):
        await room.certificate(person("strangers"))
    assert (await room.ask("GET", "/v1/ssh/names", person("strangers")))["names"] == []


async def test_no_certificate_is_given_for_a_certificate(room):
    with pytest.raises(Problem, match="given for a token"):
        await room.certificate(person("ops", method=AuthMethod.SSH_CERTIFICATE))


async def test_it_may_be_shorter_and_bound_to_a_network(room):
    answer = await room.certificate(person("dba"), life_s=120, sources=["10.0.0.0/8"])
    assert answer["valid_before_unix_ns"] == NOW + 60 * S
    assert room.verify(answer, "jump")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"public_key": 7},
        {"public_key": "ssh-ed25519 AAAA"},
        {"public_key": LINE, "admin": True},
        {"public_key": LINE, "life_s": 901},
        {"public_key": LINE, "life_s": True},
        {"public_key": LINE, "life_s": "60"},
        {"public_key": LINE, "principals": "deploy@web1"},
        {"public_key": LINE, "principals": [1]},
        {"public_key": LINE, "sources": ["10.0.0.1/8"]},
        {"public_key": LINE, "sources": ["::ffff:10.0.0.1"]},
        {"public_key": LINE, "sources": ["example.com"]},
        {"public_key": LINE, "sources": [f"10.0.0.{n}" for n in range(17)]},
    ],
)
async def test_what_is_no_such_request_is_refused(room, body):
    with pytest.raises(Problem) as caught:
        await room.ask("POST", "/v1/ssh/certificate", person("ops"), body)
    assert caught.value.status == 400
    assert room.log.events == []


async def test_a_key_that_is_a_certificate_is_not_signed(room):
    who = person("ops")
    for made in (
        issue(room.keys.login, Ed25519PrivateKey.generate().public_key(), who, ["a@b"], serial=1, now_unix_ns=NOW),
        issue_upstream(
            room.keys.user, Ed25519PrivateKey.generate().public_key(), who, b"", "a", serial=1, now_unix_ns=NOW
        ),
    ):
        with pytest.raises(Problem, match="not a plain"):
            await room.certificate(who, public_key=made.line)


async def test_more_names_than_a_certificate_holds_are_to_be_chosen_from(tmp_path):
    many = Room(tmp_path, {f"web{number}": ("deploy",) for number in range(256)})
    with pytest.raises(Problem, match="say which"):
        await many.certificate(person("ops"))
    assert (await many.certificate(person("ops"), principals=["deploy@web7"]))["principals"] == ["deploy@web7", "jump"]
    many.store.close()


async def test_whom_to_trust_is_public_and_says_what_for(room):
    found = await room.ask("GET", "/v1/ssh/authorities")
    assert (found["origin"], found["hosts"]) == ("ssh.example", ["ssh.example", "10.0.0.9"])
    assert blob(found["host_ca"]) == blob(public_line(room.keys.host.public_key()))
    assert blob(found["user_ca"]) == blob(public_line(room.keys.user.public_key()))
    assert await room.ask("GET", "/v1/ssh/user-ca.pub") == found["user_ca"] + "\n"
    assert await room.ask("GET", "/v1/ssh/host-ca.pub") == found["host_ca"] + "\n"


@pytest.mark.need_ssh_keygen
async def test_ssh_keygen_reads_the_lines(room, tmp_path):
    path = tmp_path / "ca.pub"
    path.write_text(await room.ask("GET", "/v1/ssh/user-ca.pub"))
    done = await trio.run_process(["ssh-keygen", "-l", "-f", path], capture_stdout=True, stderr=subprocess.DEVNULL)
    assert b"doorward-user-ca@ssh.example" in done.stdout
