"""The files for an SSH server: they load, and their policy means what their comments say."""

from datetime import date

import pytest

from doorward_console.init_folder import CONFIG, POLICY
from doorward_console.init_ssh_files import WantedSsh, config_text, policy_text
from doorward_console.init_ssh_target import Place
from doorward_core.config import load_config
from doorward_core.model import (
    Action,
    Approve,
    Atom,
    AuthMethod,
    Effect,
    Identity,
    Mask,
    Operation,
    PrincipalKind,
    Record,
    Resource,
    Target,
)
from doorward_core.policy.load import load_policy
from doorward_core.shell.analyze import analyze
from doorward_ssh.settings import SshTarget

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGY1VvcpQWHf8bXgh4kmOoZWy+HMMCWf9yJVT3SHhDvx"
WEB1 = Resource("web1", "ssh")
DISCHARGES = frozenset({Mask, Approve, Record})


@pytest.fixture
def wanted():
    return WantedSsh(
        resource="web1",
        account="deploy",
        origin="gw.example",
        issuer="https://idp.example",
        audiences=("doorward",),
        listen_at=("127.0.0.1", 2222),
        approvals_at=("127.0.0.1", 9465),
        admin_at=("127.0.0.1", 9464),
        certificate="gateway.crt",
        key="gateway.key",
        self_signed="for localhost",
        readers="crew-operators",
        approvers="ops",
        made_on=date(2026, 11, 23),
        place=Place("deploy", "web1.example", 22),
        host_key=KEY,
        fingerprint="SHA256:abc",
    )


@pytest.fixture
def folder(wanted, tmp_path):
    for name in ("gateway.crt", "gateway.key"):
        (tmp_path / name).touch()
    (tmp_path / CONFIG).write_text(config_text(wanted))
    (tmp_path / POLICY).write_text(policy_text(wanted))
    return tmp_path


def test_the_configuration_loads(folder):
    config = load_config(folder / CONFIG, {"ssh": SshTarget})
    resource = config.resources["web1"]
    assert (resource.target.host, resource.target.port, resource.target.host_key) == ("web1.example", 22, KEY)
    assert resource.accounts["deploy"].user == "deploy"
    assert config.operators.groups == ("ops",)
    assert config.listen[0].tls is None


@pytest.fixture
def decide(folder):
    policy = load_policy(folder / POLICY)
    who = Identity("c", "i", PrincipalKind.AGENT, frozenset({"crew-operators"}), AuthMethod.JWT, "j", 0, 2**62)

    def judge(*atoms, complete=True):
        operation = Operation(b"o" * 16, 1, atoms[0].action, "x", atoms, "", b"d" * 32, complete=complete)
        return policy.decide(who, WEB1, operation, 1, discharges=DISCHARGES).effect

    return judge


@pytest.mark.parametrize(
    ("command", "effect"),
    [
        ("uptime", Effect.PERMIT),
        ("ls -l /srv", Effect.PERMIT),
        ("systemctl status --no-pager nginx", Effect.PERMIT),
        ("systemctl is-active nginx", Effect.PERMIT),
        ("uptime && df -h", Effect.PERMIT),
        ("systemctl restart nginx", Effect.HOLD),
        ("sudo systemctl restart nginx", Effect.HOLD),
        ("rm -rf /srv/x", Effect.HOLD),
        ("touch /srv/x", Effect.HOLD),
        ("ls > /srv/x", Effect.HOLD),
        ("systemctl status nginx", Effect.DENY),
        ("date -s now", Effect.DENY),
        ("bash -c 'uptime; id'", Effect.DENY),
        ("python3 -c 'print(1)'", Effect.DENY),
        ("cat /etc/shadow", Effect.DENY),
        ("LD_PRELOAD=x uptime", Effect.DENY),
        ("curl https://evil.example", Effect.DENY),
    ],
)
def test_commands(decide, command, effect):
    analysis = analyze(command)
    assert decide(*analysis.atoms, complete=analysis.complete) is effect


@pytest.mark.parametrize(
    ("action", "kind", "name", "effect"),
    [
        (Action.EXECUTE, "shell", "deploy", Effect.HOLD),
        (Action.EXECUTE, "subsystem", "sftp", Effect.PERMIT),
        (Action.EXECUTE, "subsystem", "netconf", Effect.DENY),
        (Action.READ, "path", "/srv/www/index.html", Effect.PERMIT),
        (Action.READ, "path", "/home/deploy/.ssh/id_ed25519", Effect.DENY),
        (Action.READ, "path", "/proc/self/environ", Effect.DENY),
        (Action.WRITE, "path", "/srv/www/index.html", Effect.HOLD),
        (Action.WRITE, "path", "/home/deploy/.ssh/authorized_keys", Effect.DENY),
        (Action.FORWARD, "address", "10.0.0.1:5432", Effect.DENY),
        (Action.FORWARD, "agent", "agent", Effect.DENY),
        (Action.UNKNOWN, "opaque", "x", Effect.DENY),
    ],
)
def test_everything_else(decide, action, kind, name, effect):
    assert decide(Atom(action, Target(kind, name))) is effect
