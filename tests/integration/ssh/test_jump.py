"""`ssh -J gateway deploy@web1`: the gateway answers for the resource, with a host certificate of its own authority."""

import subprocess

import pytest

pytestmark = pytest.mark.need_sshd


def _jump(gateway, *words, user="deploy", host="web1", options=(), trusted=None, outer="jump", **who):
    key = gateway.certificate(**who)
    authority = (gateway.state / "keys" / "ssh-host-ca.pub").read_text().strip()
    known = gateway.state / "jump_known_hosts"
    known.write_text(f"@cert-authority [127.0.0.1]:{gateway.port},{trusted or host.lower()} {authority}\n")
    common = f"""\
    IdentityFile {key}
    IdentitiesOnly yes
    IdentityAgent none
    BatchMode yes
    UserKnownHostsFile {known}
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
    LogLevel INFO
"""
    settings = gateway.state / "jump_config"
    settings.write_text(
        f"Host gateway\n    HostName 127.0.0.1\n    Port {gateway.port}\n    User {outer}\n    ProxyJump none\n{common}"
        f"Host *\n    ProxyJump gateway\n    User {user}\n{common}"
    )
    return ["ssh", "-F", str(settings), *options, host, *words]


def _run(*arguments, stdin=b"", **how):
    words = _jump(*arguments, **how)
    return subprocess.run(words, input=stdin, capture_output=True, timeout=60, check=False)


def test_a_resource_is_reached_by_its_own_name(ssh_gateway):
    done = _run(ssh_gateway, "echo", "hello")
    assert (done.returncode, done.stdout) == (0, b"hello\n"), done.stderr


def test_the_account_may_be_written_out_and_names_the_same_resource(ssh_gateway):
    assert _run(ssh_gateway, "true", user="deploy@web1").returncode == 0
    assert _run(ssh_gateway, "true", user="deploy@web2").returncode == 255
    assert _run(ssh_gateway, "true", user="jump").returncode == 255


def test_who_names_no_account_of_the_host_is_told_that_it_has_to_be_one(ssh_gateway):
    words = b"doorward: through a jump, the user name is an account of the host"
    assert words in _run(ssh_gateway, "true", user="deploy#web1").stderr
    assert words not in _run(ssh_gateway, "true", user="nobody").stderr
    assert words not in _run(ssh_gateway, "true").stderr


def test_a_name_in_capitals_is_the_same_resource(ssh_gateway):
    assert _run(ssh_gateway, "true", host="WEB1").returncode == 0


def test_each_command_behind_a_jump_is_decided(ssh_gateway):
    ssh_gateway.recorder.mark()
    done = _run(ssh_gateway, "rm", "/tmp/nothing")
    assert done.returncode == 126
    assert b"doorward: refused: Files are removed by the pipeline" in done.stderr
    assert ssh_gateway.recorder.sent == b""


def test_the_host_certificate_names_the_resource_alone(ssh_gateway):
    done = _run(ssh_gateway, "true", host="web2", trusted="web1,web2")
    assert done.returncode == 255
    assert b"a jump leads to resources alone" in done.stderr


@pytest.mark.parametrize("where", ["127.0.0.1:22", "localhost:22", "gateway.test:22", "nowhere:22"])
def test_a_jump_leads_nowhere_else(ssh_gateway, where):
    ssh_gateway.recorder.mark()
    done = ssh_gateway.ssh(options=("-v", "-W", where), user="jump")
    assert done.returncode != 0
    assert b"a jump leads to resources alone" in done.stderr
    assert ssh_gateway.recorder.sent == b""


def test_a_jump_itself_runs_nothing(ssh_gateway):
    done = ssh_gateway.ssh("true", user="jump")
    assert done.returncode == 255


def test_a_jump_needs_a_credential(ssh_gateway, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    done = ssh_gateway.ssh(options=("-W", "web1:22"), user="jump", key=tmp_path / "key")
    assert done.returncode == 255
    assert b"Permission denied" in done.stderr


def test_files_go_through_a_jump(ssh_gateway, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 8192)
    words = _jump(ssh_gateway, groups=("anything",))
    settings = words[2]
    done = subprocess.run(
        ["scp", "-F", settings, str(source), f"web1:{tmp_path}/there"], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there").read_bytes() == source.read_bytes()
