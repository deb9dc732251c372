"""SSH-16: a user name that two readers could read in two ways is read by none."""

import pytest

from doorward_core.errors import ClientProtocolError
from doorward_ssh.names import parse_inner, parse_user

OTHER_GRAMMARS = (
    "deploy#web1", "deploy:web1", "deploy:web1@gw", "deploy%web1", "deploy+web1", "deploy/web1", "web1\\deploy",
    "deploy@web1@gw", "deploy@@web1", "@web1", "deploy@", "@", "", "deploy", "web1", "deploy@web1:22", "deploy@web1#root",
    "ssh://deploy@web1", "deploy@web1?x", "root;deploy@web1", "deploy@web1,root@web1", "deploy@[web1]", "deploy@web1/",
)  # fmt: skip
DISGUISES = (
    "deploy%40web1", "deploy\\x40web1", "deploy\N{FULLWIDTH COMMERCIAL AT}web1", "deploy\N{SMALL COMMERCIAL AT}web1",
    "dеploy@web1", "deploy@wеb1", "deploy@web\N{SUPERSCRIPT ONE}", "deploy@web\N{FULLWIDTH DIGIT ONE}",
    "deploy\N{ZERO WIDTH SPACE}@web1", "\N{RIGHT-TO-LEFT OVERRIDE}deploy@web1", "deploy@web1\N{COMBINING ACUTE ACCENT}",
    "deploy@web\N{ARABIC-INDIC DIGIT ONE}", "\N{ZERO WIDTH NO-BREAK SPACE}deploy@web1", "deploy@web1\udcff",
)  # fmt: skip
WHITE = (" deploy@web1", "deploy@web1 ", "deploy @web1", "deploy@web1\n", "deploy@web1\r\n", "\tdeploy@web1", "deploy@web1\0",
         "deploy\0@web1", "deploy@web1\x1b[2J", "deploy@web1\x85", "deploy@web1\N{NO-BREAK SPACE}")  # fmt: skip
EDGES = (".deploy@web1", "-deploy@web1", "_x@web1", "deploy@-web1", "deploy@.", "..@..", "-oProxyCommand=x@web1",
         f"{'a' * 64}@web1", f"deploy@{'b' * 64}", "a" * 1_000_000, "@" * 100_000)  # fmt: skip
JUMPS = ("Jump", "JUMP", "jump ", "jump\0", "jump@", "@jump", "jumper", "jump@web1@gw")


@pytest.mark.parametrize("name", [*OTHER_GRAMMARS, *DISGUISES, *WHITE, *EDGES, *JUMPS], ids=ascii)
def test_ssh_16_one_grammar_and_no_other(name):
    with pytest.raises(ClientProtocolError):
        parse_user(name)


@pytest.mark.parametrize("name", [*OTHER_GRAMMARS, *DISGUISES, *WHITE, *EDGES], ids=ascii)
def test_ssh_16_through_a_jump_host_neither(name):
    if name in {"deploy", "web1"}:  # an account by itself: there the host names the resource
        assert parse_inner(name, "web1").name == f"{name}@web1"
        return
    with pytest.raises(ClientProtocolError):
        parse_inner(name, "web1")


def test_ssh_16_what_is_accepted_is_what_was_asked_for_letter_by_letter():
    for name in ("deploy@web1", "Deploy@Web1", "a.b_c-d@e.f_g-h"):
        login = parse_user(name)
        assert login is not None
        assert login.name == name
