"""The body of a vote: about the card that was shown, and signed over it."""

import subprocess

import pytest

from doorward_console.cards import read_detail
from doorward_console.gateway import Gateway
from doorward_console.voting import ballot
from doorward_core.approvals.answers import detail
from doorward_core.approvals.request import Case, RequestState
from doorward_core.model import Secret


@pytest.fixture
def shown(request_card):
    return read_detail(detail(Case(request_card(), RequestState.PENDING, 1)))


def test_without_a_key_a_vote_names_what_was_shown(shown, control):
    gateway = Gateway(control.url, Secret("dora-token"))
    assert ballot(gateway, shown, "approve", "fine", None) == {
        "verdict": "approve",
        "reason": "fine",
        "content": shown.content,
    }


def test_with_a_key_the_signature_counts_at_the_gateway(shown, control, tmp_path):
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    control.signers.write_text(f"dora {key.with_suffix('.pub').read_text()}")
    control.trust()
    made = ballot(Gateway(control.url, Secret("dora-token")), shown, "approve", "fine", key)
    assert made["proof"]["kind"] == "sshsig"
    assert "BEGIN SSH SIGNATURE" in made["proof"]["signature"]
