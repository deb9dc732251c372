"""A further gateway in the same tree of folders proposes other ports, and says whose the usual ones are."""

import pytest
import yaml

from doorward_console import init_ports
from doorward_console.init_folder import CONFIG
from doorward_core.config import Config

USUAL_ADMIN = "127.0.0.1:9464"


@pytest.fixture
def gateway(tmp_path):
    """Writes as much of a configuration as has ports in it."""

    def write(folder, *, listen=6432, approvals=9465, admin=9464):
        path = tmp_path / folder / CONFIG
        path.parent.mkdir(parents=True, exist_ok=True)
        doors = {"listen": [{"unix": "x"}, {"port": listen}], "approvals": {"listen": {"port": approvals}}}
        path.write_text(yaml.safe_dump(doors | ({"admin": {"port": admin}} if admin else {})))
        return path

    return write


@pytest.mark.parametrize("other", ["pg", ".doorward/pg", "mine/pg", "mine/deep/pg", "."])
def test_gateways_near_to_the_folder_are_seen(tmp_path, gateway, other):
    path = gateway(other)
    assert init_ports.taken(tmp_path / "mine") == dict.fromkeys((9464, 9465, 6432), path)


def test_its_own_file_takes_no_port_from_it(tmp_path, gateway):
    gateway("mine")
    assert init_ports.taken(tmp_path / "mine") == {}


def test_a_configuration_without_an_admin_port_has_the_usual_one(tmp_path, gateway):
    gateway("pg", admin=None)
    assert Config.model_fields["admin"].default.port in init_ports.taken(tmp_path / "mine")


@pytest.mark.parametrize("content", [b"\xff", b"[", b"- a", b"listen: 7\napprovals: x\nadmin: [y]"])
def test_what_cannot_be_read_has_no_ports(tmp_path, content):
    (tmp_path / "pg").mkdir()
    (tmp_path / "pg" / CONFIG).write_bytes(content)
    assert init_ports.taken(tmp_path / "mine") == {}


def test_a_port_that_is_nobody_s_is_proposed_without_a_word(capsys):
    assert init_ports.proposed("--admin", USUAL_ADMIN, {}) == USUAL_ADMIN
    assert capsys.readouterr().out == ""


def test_the_next_one_is_proposed_and_said(tmp_path, gateway, capsys):
    gateway("pg")
    second = gateway("ssh", listen=2222, approvals=9475, admin=9474)
    others = init_ports.taken(tmp_path / "mine")
    assert init_ports.proposed("--admin", USUAL_ADMIN, others) == "127.0.0.1:9484"
    assert init_ports.proposed("--listen", "[::1]:2222", others) == "[::1]:2232"
    said = " ".join(capsys.readouterr().out.split())
    assert f"port 9464 is that of {tmp_path / 'pg' / CONFIG}: --admin is 127.0.0.1:9484 here" in said
    assert f"port 2222 is that of {second}: --listen is [::1]:2232 here" in said
