"""SSH-03 and SSH-16 at the listener: a certificate is worth what its key signs, for this session and this user name.

The client is asyncssh with a key pair that signs what it should not; all else about each login is right.
"""

import asyncio

import asyncssh
import pytest
from asyncssh.constants import MSG_CHANNEL_OPEN
from asyncssh.packet import String, UInt32
from asyncssh.public_key import SSHLocalKeyPair

pytestmark = pytest.mark.need_sshd

USER = "deploy@web1"
OTHER = asyncssh.generate_private_key("ssh-ed25519")


class Forger(SSHLocalKeyPair):
    """A key pair whose signature is what `forge` makes of the key and of the data that is to be signed."""

    def __init__(self, gateway, forge, **who):
        path = gateway.certificate(**who)
        super().__init__(asyncssh.read_private_key(path), None, asyncssh.read_certificate(f"{path}-cert.pub"), None)
        self.forge = forge
        self.signed = 0

    def sign(self, data):
        self.signed += 1
        return self.forge(self._key, data)


async def logged_in(gateway, keys, user=USER, client=asyncssh.SSHClient):
    """Whether a command runs; every way of being refused is False."""
    try:
        async with asyncio.timeout(90):
            async with asyncssh.connect(
                "127.0.0.1", gateway.port, username=user, client_keys=keys, known_hosts=None, config=None,
                agent_path=None, client_factory=client,
            ) as connection:  # fmt: skip
                return (await connection.run("echo in")).stdout == "in\n"
    except (asyncssh.PermissionDenied, asyncssh.DisconnectError, asyncssh.ConnectionLost, ConnectionError):
        return False


def attempt(gateway, keys, user=USER, client=asyncssh.SSHClient):
    """Try it, and give whether it worked; what did not work has opened no session, and told the target nothing."""
    gateway.recorder.settle()
    before = len(gateway.entries("session.opened"))
    worked = asyncio.run(logged_in(gateway, keys, user, client))
    assert (len(gateway.entries("session.opened")) > before) == worked
    assert bool(gateway.recorder.sent) == worked
    return worked


def honest(key, data):
    return key.sign(data, b"ssh-ed25519")


def other_session(key, data):
    length = int.from_bytes(data[:4], "big")
    return honest(key, String(b"\x07" * length) + data[4 + length :])


def other_user(key, data):
    return honest(key, data.replace(String(USER), String("root@web1")))


def other_service(key, data):
    return honest(key, data.replace(String("ssh-connection"), String("ssh-userauth")))


def other_key(_key, data):
    return honest(OTHER, data)


def of_nothing(key, _data):
    return honest(key, b"")


def flipped(key, data):
    good = honest(key, data)
    return good[:-1] + bytes([good[-1] ^ 1])


def other_name(key, data):
    return String("ssh-rsa") + honest(key, data)[15:]


def nothing(_key, _data):
    return b""


def test_the_forger_logs_in_when_it_is_honest(ssh_gateway):
    """Else the refusals below would prove nothing."""
    assert attempt(ssh_gateway, [Forger(ssh_gateway, honest)])


@pytest.mark.parametrize(
    "forge", [other_session, other_user, other_service, other_key, of_nothing, flipped, other_name, nothing]
)
def test_ssh_03_a_signature_is_the_key_s_own_over_this_login(ssh_gateway, forge):
    keys = Forger(ssh_gateway, forge)
    assert not attempt(ssh_gateway, [keys])
    assert keys.signed, "the certificate was not even asked about"


def test_ssh_03_a_probe_is_no_login(ssh_gateway):
    """The server has said that it would take the certificate; a channel is opened instead of signing (CVE-2023-43660)."""
    connections = []

    class Client(asyncssh.SSHClient):
        def connection_made(self, conn):
            connections.append(conn)

    def open_instead(_key, _data):
        (connection,) = connections
        connection._auth_complete = True  # asyncssh itself would wait
        connection.send_packet(MSG_CHANNEL_OPEN, String("session"), UInt32(0), UInt32(1 << 20), UInt32(1 << 15))
        return b""

    keys = Forger(ssh_gateway, open_instead)
    assert not attempt(ssh_gateway, [keys], client=Client)
    assert keys.signed


@pytest.mark.parametrize(
    "user", ["root@web2", "nobody@web1", "deploy", "JUMP", "deploy#web1", "deploy@web1@web1", "DEPLOY@web1"]
)
def test_ssh_03_a_certificate_is_for_the_names_in_it(ssh_gateway, user):
    assert not attempt(ssh_gateway, [Forger(ssh_gateway, honest)], user)


def test_ssh_03_a_jump_runs_nothing_by_itself(ssh_gateway):
    with pytest.raises(asyncssh.ChannelOpenError, match="a jump carries connections"):
        attempt(ssh_gateway, [Forger(ssh_gateway, honest)], "jump")


NAMES = (
    "deploy#web1", "deploy%40web1", "deploy@web1 ", "deploy@web1\0", "", "web1", "a" * 1000,
    "d\N{CYRILLIC SMALL LETTER IE}ploy@web1", "deploy\N{FULLWIDTH COMMERCIAL AT}web1", "deploy@web\N{FULLWIDTH DIGIT ONE}",
    "deploy\N{SOFT HYPHEN}@web1", "deploy@web1\N{ZERO WIDTH SPACE}", "deploy@web\N{SUPERSCRIPT ONE}",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("way", ["token", "certificate"])
def test_ssh_16_a_good_credential_opens_no_name_of_another_grammar(ssh_gateway, name, way):
    """asyncssh would fold full-width and invisible letters away on both sides: here the name is sent as it stands."""

    class Client(asyncssh.SSHClient):
        def connection_made(self, conn):
            conn._username = name

        def password_auth_requested(self):
            return tokens.pop() if tokens else None

    tokens = [ssh_gateway.token(groups=("crew-operators",))] if way == "token" else []
    keys = [] if way == "token" else [Forger(ssh_gateway, honest)]
    assert not attempt(ssh_gateway, keys, client=Client)


def test_ssh_16_the_one_spelling_is_sent_as_it_stands_and_opens(ssh_gateway):
    """Else the refusals above would prove nothing."""

    class Client(asyncssh.SSHClient):
        def connection_made(self, conn):
            conn._username = USER

        def password_auth_requested(self):
            return ssh_gateway.token(groups=("crew-operators",))

    assert attempt(ssh_gateway, [], "x", client=Client)
    assert attempt(ssh_gateway, [Forger(ssh_gateway, honest)], "x", client=Client)


def test_ssh_03_a_plain_key_is_nobody(ssh_gateway):
    path = ssh_gateway.certificate()
    assert not attempt(ssh_gateway, [asyncssh.read_private_key(path)])
    assert not attempt(ssh_gateway, [OTHER])


def test_ssh_03_a_certificate_for_another_account_on_the_same_key_is_not_enough(ssh_gateway):
    """Asked for one name, it carries that name and the jump name, though its holder could have had more."""
    path = ssh_gateway.certificate(name="narrow")
    public = path.with_name(f"{path.name}.pub").read_text()
    token = ssh_gateway.token(groups=("crew-operators",))
    status, answer = ssh_gateway.call(
        "POST", "/v1/ssh/certificate", token, {"public_key": public, "principals": ["root@web1"]}
    )
    assert status == 200
    narrow = asyncssh.import_certificate(answer["certificate"])
    key = asyncssh.read_private_key(path)
    assert attempt(ssh_gateway, [(key, narrow)], "root@web1")
    assert not attempt(ssh_gateway, [(key, narrow)], USER)


ACCOUNTS = """\
version: 1
rules:
  - {id: crew, effect: allow, who: {groups: [crew]}, resource: web1, accounts: [deploy], do: [any]}
  - {id: admins, effect: allow, who: {groups: [admins]}, resource: web1, do: [any]}
"""


def test_ssh_03_a_rule_for_one_account_is_no_leave_to_use_another(own_ssh_gateway):
    gateway = own_ssh_gateway(policy=ACCOUNTS)
    assert gateway.ssh("echo", "in", groups=("crew",)).stdout == b"in\n"
    token = gateway.token(groups=("crew",))
    assert gateway.call("GET", "/v1/ssh/names", token)[1]["names"] == ["deploy@web1"]
    with pytest.raises(asyncssh.Error):
        asyncio.run(with_token(gateway, "root@web1", token))
    assert asyncio.run(with_token(gateway, "root@web1", gateway.token(groups=("admins",)))) == "in\n"


def test_ssh_16_an_account_that_is_not_there_opens_no_session(own_ssh_gateway):
    gateway = own_ssh_gateway(policy=ACCOUNTS)
    with pytest.raises(asyncssh.Error, match="there is no account 'nobody' on web1"):
        asyncio.run(with_token(gateway, "nobody@web1", gateway.token(groups=("admins",))))
    assert gateway.entries("session.opened") == []
    (refused,) = gateway.entries("session.refused")
    assert refused.header["reason"] == "no such account"


async def with_token(gateway, user, token):
    options = {"known_hosts": str(gateway.known_hosts()), "agent_path": None, "config": None, "client_keys": None}
    async with asyncssh.connect("127.0.0.1", gateway.port, username=user, password=token, **options) as client:
        return (await client.run("echo in")).stdout
