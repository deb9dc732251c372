"""The body of a vote: about the card that was shown, and signed over it."""

import subprocess
from dataclasses import replace

import pytest

from doorward_console.cards import read_detail
from doorward_console.gateway import Gateway
from doorward_console.voting import asked, ballot, chosen
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


def _seen(request_card, attended, votes=(), **changes):
    request = request_card(**changes)
    return read_detail(detail(Case(request, RequestState.PENDING, 1, votes=votes), attended=attended))


@pytest.mark.parametrize(
    ("attended", "said", "is_chosen"), [(True, None, False), (True, True, True), (False, None, True)]
)
def test_what_is_not_said_is_the_narrowest_that_helps(request_card, attended, said, is_chosen):
    shown = _seen(request_card, attended, retry=True)
    assert chosen(shown, said) is is_chosen
    within = "approve this, and one identical retry within 5 min 0 s?"
    assert asked(shown, "approve", is_chosen) == (within if is_chosen else "approve this for the one that waits alone?")


def test_where_there_is_no_choice_none_is_sent_and_none_is_made(request_card, control):
    plain, older = (
        _seen(request_card, attended=True),
        replace(_seen(request_card, attended=True, retry=True), attended=None),
    )
    assert [chosen(plain, None), chosen(plain, False), chosen(older, None)] == [None, None, None]
    assert asked(plain, "approve", None) == "approve this?"
    with pytest.raises(ValueError, match="allows no identical retry"):
        chosen(plain, True)
    for said in (True, False):
        with pytest.raises(ValueError, match="this gateway is older"):
            chosen(older, said)
    assert "retry" not in ballot(Gateway(control.url, Secret("dora-token")), plain, "approve", "", None)
