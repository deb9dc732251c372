"""Certificates for a token: what `doorward ssh-login` asks for on the control port.

    POST /v1/ssh/certificate   {"public_key": "ssh-ed25519 AAAA...", "principals": ["deploy@web1"],
                                "sources": ["10.0.0.0/8"], "life_s": 900}; all but the key may be left out
    GET  /v1/ssh/names         the names that its caller may log in by
    GET  /v1/ssh/authorities   whom clients and targets are to trust; public, since it holds public keys
    GET  /v1/ssh/user-ca.pub   one line for a target's TrustedUserCAKeys; public
    GET  /v1/ssh/host-ca.pub   the same for clients; public

What it is: the room between a verified token and `doorward_core.identity.ssh_certificate`.
What it will not do: grant anything. A certificate says who somebody is; policy decides at each login and operation.

Invariants: a certificate names only what policy lets its holder connect to at this moment, and the jump name;
its record is on stable storage before it is given out; who shows a certificate cannot get another for it.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Network, ip_network
from typing import Final

from doorward_core import entries
from doorward_core.event import Value
from doorward_core.gate import Gate
from doorward_core.identity.ssh_certificate import (
    MAX_LIFE_S,
    MAX_PRINCIPALS,
    MAX_SERIAL,
    CannotIssue,
    Issued,
    Network,
    issue,
)
from doorward_core.identity.ssh_keys import Authorities, BadKey, PublicKey, blob, fingerprint, public_line, read_public
from doorward_core.model import AuthMethod, Effect, Identity
from doorward_core.net.control import Call, Problem, Reply, Route, json_reply, read_json
from doorward_ssh.names import JUMP, Login

KIND: Final = "ssh-certificate"
_TEXT: Final = b"text/plain; charset=utf-8"


class Certificates:
    """The routes of one gateway. `names` are those under which clients reach it (`host` of known_hosts)."""

    def __init__(
        self, gate: Gate, authorities: Authorities, names: tuple[str, ...], clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._gate = gate
        self._authorities = authorities
        self._hosts = names
        self._clock = clock

    def routes(self) -> tuple[Route, ...]:
        """What the control port answers for SSH."""
        return (
            Route("POST", "/v1/ssh/certificate", self.certificate),
            Route("GET", "/v1/ssh/names", self.names),
            Route("GET", "/v1/ssh/authorities", self.authorities, public=True),
            Route("GET", "/v1/ssh/user-ca.pub", self.user_ca, public=True),
            Route("GET", "/v1/ssh/host-ca.pub", self.host_ca, public=True),
        )

    async def certificate(self, call: Call) -> Reply:
        """Give a certificate for the caller's key."""
        _only_tokens(call.who)
        asked = _asked(read_json(call))
        names = asked.principals or self._granted(call.who)
        refused = [name for name in asked.principals if name not in (*self._granted(call.who), JUMP)]
        if refused:
            raise Problem(403, f"{refused[0]!a} is not granted to {call.who.subject}; it is account@resource")
        if not names:
            raise Problem(403, f"no rule grants {call.who.subject} anything here")
        if len(names) >= MAX_PRINCIPALS:
            raise Problem(409, f"{len(names)} names are granted, and a certificate has room for fewer; say which")
        now = self._clock()
        try:
            issued = issue(
                self._authorities.login,
                asked.key,
                call.who,
                dict.fromkeys((*names, JUMP)),
                serial=1 + secrets.randbelow(MAX_SERIAL),
                now_unix_ns=now,
                life_s=asked.life_s,
                sources=asked.sources,
            )
        except CannotIssue as error:
            raise Problem(400, str(error)) from error
        await self._keep(call, asked, issued, now)
        return json_reply(
            {
                "certificate": issued.line,
                "serial": str(issued.serial),  # as text: beyond 2**53 not every reader of JSON is exact
                "key_id": issued.key_id,
                "principals": list(issued.principals),
                "valid_before_unix_ns": issued.valid_before_unix_ns,
                "origin": self._gate.origin,
            }
        )

    async def names(self, call: Call) -> Reply:
        """Say what the caller may log in as, now."""
        return json_reply({"origin": self._gate.origin, "names": list(self._granted(call.who))})

    async def authorities(self, _: Call) -> Reply:
        """Say whom to trust, and under which names this gateway answers."""
        return json_reply(
            {
                "origin": self._gate.origin,
                "hosts": list(self._hosts),
                "host_ca": self._line("host"),
                "user_ca": self._line("user"),
            }
        )

    async def user_ca(self, _: Call) -> Reply:
        """The line that a target's sshd is to trust."""
        return Reply(200, f"{self._line('user')}\n".encode("ascii"), _TEXT)

    async def host_ca(self, _: Call) -> Reply:
        """The line that clients are to trust."""
        return Reply(200, f"{self._line('host')}\n".encode("ascii"), _TEXT)

    def _line(self, which: str) -> str:
        key = self._authorities.user if which == "user" else self._authorities.host
        return public_line(key.public_key(), f"doorward-{which}-ca@{self._gate.origin}")

    def _granted(self, who: Identity) -> tuple[str, ...]:
        now = self._clock()
        return tuple(
            Login(account, setting.resource.name).name
            for _, setting in sorted(self._gate.resources.items())
            for account in sorted(setting.accounts)
            if self._gate.policy.connect(who, setting.at(account), now).effect is Effect.PERMIT
        )

    async def _keep(self, call: Call, asked: "_Asked", issued: Issued, now_unix_ns: int) -> None:
        details: dict[str, Value] = {
            "key": fingerprint(blob(public_line(asked.key))),
            "key_id": issued.key_id,
            "principals": list(issued.principals),
            "sources": [str(network) for network in asked.sources],
        }
        event = entries.credential_issued(
            call.who,
            call.peer,
            KIND,
            serial=issued.serial,
            expires_unix_ns=issued.valid_before_unix_ns,
            details=details,
        )
        await self._gate.log.durable(self._gate.log.append(event, now_unix_ns))


def _only_tokens(who: Identity) -> None:
    """No chain: whoever got in by a certificate would otherwise renew it past the end of its token."""
    if who.method is AuthMethod.SSH_CERTIFICATE:
        raise Problem(403, "a certificate is given for a token, and not for another certificate")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request asks for, checked."""

    key: PublicKey
    principals: tuple[str, ...]
    sources: tuple[Network, ...]
    life_s: int


def _asked(body: dict[str, object]) -> _Asked:
    unknown = set(body) - {"public_key", "principals", "sources", "life_s"}
    line, life_s = body.get("public_key"), body.get("life_s", MAX_LIFE_S)
    if unknown or not isinstance(line, str) or type(life_s) is not int:
        raise Problem(400, "a request has a public_key, and at most principals, sources and life_s")
    try:
        key = read_public(line)
    except BadKey as error:
        raise Problem(400, f"public_key: {error}") from error
    sources = tuple(_network(text) for text in _texts(body, "sources"))
    return _Asked(key, _texts(body, "principals"), sources, life_s)


def _texts(body: dict[str, object], name: str) -> tuple[str, ...]:
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Problem(400, f"{name} is an array of texts")
    return tuple(dict.fromkeys(value))


def _network(text: str) -> Network:
    """A network in its one form: host bits and IPv4 in IPv6 are refused, since two readers could differ on them."""
    try:
        network = ip_network(text)
    except ValueError:
        raise Problem(400, f"sources: {text!a} is not an address or a network") from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise Problem(400, f"sources: write {text!a} as IPv4")
    return network
