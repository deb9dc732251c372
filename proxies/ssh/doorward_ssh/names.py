"""Whom a client asks for: the SSH user name, and nothing else, says which account on which resource.

    user name = account "@" resource          ssh deploy@web1@gateway.example
              | "jump"                        ssh -J gateway.example deploy@web1

What it is: the one grammar of SSH user names (RFC 4252 section 5: a UTF-8 string of the client's choice).
What it will not do: trim, fold, decode or guess; know which accounts and resources there are.

Invariants: a name that two readers could read in two ways is refused; what is accepted is written back unchanged, so
that a certificate's principal and the name in the record are the very name that was asked for.
"""

import re
from dataclasses import dataclass
from typing import Final

from doorward_core.errors import ClientProtocolError

# The user name of a connection that only carries other connections: each of those logs in by a name of its own.
JUMP: Final = "jump"
# As in configurations: what an operator may call a resource or an account.
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"
_LOGIN: Final = re.compile(rf"(?P<account>{_NAME})@(?P<resource>{_NAME})")
_ACCOUNT: Final = re.compile(_NAME)


@dataclass(frozen=True, slots=True)
class Login:
    """An account on a resource. `name` is how both are written: as user name, and as a certificate's principal."""

    account: str
    resource: str

    @property
    def name(self) -> str:
        """`account@resource`."""
        return f"{self.account}@{self.resource}"


def parse_user(text: str) -> Login | None:
    """Read a user name; None is the jump name. Raises ClientProtocolError for everything else.

    The error does not quote the name: it is hostile text, and it is what people mistype passwords into.
    """
    if text == JUMP:
        return None
    match = _LOGIN.fullmatch(text)
    if match is None:
        raise ClientProtocolError(f"the user name is account@resource, or {JUMP} for a jump host")
    return Login(match["account"], match["resource"])


def parse_inner(account: str, resource: str) -> Login:
    """Read the user name of a connection through a jump host, where the host it was opened to names the resource.

    `ssh -J gateway deploy@web1` says `deploy` here; what was written out in full must name the same resource.
    """
    whole = f"{account}@{resource}" if _ACCOUNT.fullmatch(account) else account
    login = parse_user(whole)
    if login is None or login.resource != resource:
        raise ClientProtocolError("the user name is an account of the host that was asked for")
    return login
