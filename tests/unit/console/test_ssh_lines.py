"""The lines for ssh: what OpenSSH itself reads in them, and names that have no place there."""

import subprocess

import pytest

from doorward_console.ssh_lines import Unfit, Where, config, known_hosts
from doorward_core.identity.ssh_keys import new_authority, public_line, read_authority

CA = public_line(read_authority(new_authority()).public_key(), "doorward-host-ca@gw.example")
NAMES = ["postgres@db1", "deploy@web1", "root@web1"]


def test_the_gateway_is_trusted_under_its_name_and_port():
    assert known_hosts(Where("gw.example"), CA) == [f"@cert-authority gw.example {CA}"]
    assert known_hosts(Where("gw.example", 2222), CA) == [f"@cert-authority [gw.example]:2222 {CA}"]
    assert known_hosts(Where("::1", 2222), CA) == [f"@cert-authority [::1]:2222 {CA}"]


def test_resources_behind_a_jump_host_are_trusted_by_their_own_names():
    assert known_hosts(Where("gw.example", 2222), CA, NAMES) == [f"@cert-authority [gw.example]:2222,db1,web1 {CA}"]


def resolved(tmp_path, lines, host):
    path = tmp_path / "config"
    path.write_text("\n".join(lines))
    done = subprocess.run(["ssh", "-G", "-F", path, host], capture_output=True, text=True, check=True)
    pairs = [line.partition(" ")[::2] for line in done.stdout.splitlines()]
    return {name: value for name, value in pairs if name in ("user", "hostname", "port", "proxyjump", "identityfile")}


@pytest.mark.need_sshd
def test_ssh_finds_each_account(tmp_path):
    lines = config(Where("gw.example", 2222, tmp_path / "a key"), NAMES)
    key = str(tmp_path / "a key")
    there = {"hostname": "gw.example", "port": "2222", "identityfile": key}
    assert resolved(tmp_path, lines, "db1") == {"user": "postgres@db1", **there}
    assert resolved(tmp_path, lines, "root.web1") == {"user": "root@web1", **there}
    assert resolved(tmp_path, lines, "deploy.web1") == {"user": "deploy@web1", **there}
    assert resolved(tmp_path, lines, "gw.example") == {"user": "jump", **there}


@pytest.mark.need_sshd
def test_ssh_jumps_to_each_resource(tmp_path):
    lines = config(Where("gw.example", 2222), NAMES, jump=True)
    for host in ("db1", "web1"):
        found = resolved(tmp_path, lines, f"deploy@{host}")
        assert (found["user"], found["hostname"], found["proxyjump"]) == ("deploy", host, "gw.example")


@pytest.mark.parametrize("host", ["", "a b", "gw\nProxyCommand x", "*", "!x", "-oX", "gw,other", "a#b", "x" * 300])
def test_a_host_that_is_more_than_a_name_is_refused(host):
    with pytest.raises(Unfit):
        config(Where(host))
    with pytest.raises(Unfit):
        known_hosts(Where(host), CA)


@pytest.mark.parametrize("name", ["", "deploy", "a@b\nProxyCommand x", "a@*", "*@b", "a@b c", "a b@c", "a@b@c", "-x@b"])
def test_a_name_that_is_more_than_a_name_is_refused(name):
    with pytest.raises(Unfit):
        config(Where("gw"), [name])
    with pytest.raises(Unfit):
        known_hosts(Where("gw"), CA, [name])


@pytest.mark.parametrize("key", ["", "None", f"{CA}\n* {CA}", "ssh-rsa AAAA", f'command="x" {CA}'])
def test_an_authority_that_is_no_key_is_refused(key):
    with pytest.raises(Unfit):
        known_hosts(Where("gw"), key)


@pytest.mark.parametrize("path", ['/a"b', "/a\nProxyCommand x"])
def test_a_path_that_cannot_be_quoted_is_refused(tmp_path, path):
    with pytest.raises(Unfit):
        config(Where("gw", identity=type(tmp_path)(path)))
