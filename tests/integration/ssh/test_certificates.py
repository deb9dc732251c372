"""What OpenSSH makes of our certificates: sshd takes those of a session, ssh takes those of hosts."""

import pytest
from sshd_stand import Stand

from doorward_core.model import AuthMethod, Identity, PrincipalKind

pytestmark = pytest.mark.need_sshd

S = 1_000_000_000
WHO = Identity(
    "crew 7", "https://id.example", PrincipalKind.AGENT, frozenset({"ops"}), AuthMethod.JWT, "jti-1", 0, 2**62
)


@pytest.fixture
def target(tmp_path):
    return Stand(tmp_path)


def test_a_target_lets_a_session_in_and_its_log_says_who_it_was(target):
    done = target.connect(target.upstream(WHO).line)
    assert (done.returncode, done.stdout.strip()) == (0, "in"), done.stderr
    log = target.log()
    assert f"ID doorward-session iss=https://id.example sub=crew%207 id={'07' * 16} (serial 9)" in log


def test_a_target_lets_nobody_into_another_account(target):
    assert target.connect(target.upstream(WHO, account="nobody").line).returncode == 255


def test_a_target_lets_nobody_in_late(target):
    target.now_unix_ns -= 900 * S
    assert target.connect(target.upstream(WHO).line).returncode == 255


def test_a_terminal_and_no_agent_is_what_a_session_may_have(target):
    debug = target.connect(target.upstream(WHO).line, "echo agent=$SSH_AUTH_SOCK")
    assert debug.stdout.strip() == "agent="


def test_a_client_takes_a_host_for_the_one_that_its_certificate_names(target):
    known = target.folder / "known_hosts"
    known.write_text(known.read_text().replace("web1", "*"))
    assert target.connect(target.upstream(WHO).line).returncode == 0
    target.name = "web2"
    refused = target.connect(target.upstream(WHO).line)
    assert refused.returncode == 255
    assert "name is not a listed principal" in refused.stderr


def test_a_client_takes_no_host_that_another_authority_vouches_for(target, tmp_path):
    (tmp_path / "other").mkdir()
    known = (Stand(tmp_path / "other").folder / "known_hosts").read_text()
    (target.folder / "known_hosts").write_text(known)
    assert target.connect(target.upstream(WHO).line).returncode == 255
