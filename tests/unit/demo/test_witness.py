"""The demonstration's witness: made as an operator makes one, told the log's key, run and stopped."""

import urllib.request

import pytest

from doorward_demo import stack, witness
from doorward_demo.postgres import DemoError


@pytest.fixture
def place(tmp_path):
    return stack.Stack(tmp_path, tmp_path / "run", 6432, 9464, 8090)


def test_it_serves_for_the_log_whose_key_is_there_before_the_gateway(place):
    with witness.running(place):
        with urllib.request.urlopen(f"{place.witness_url}/healthz", timeout=30) as answer:
            assert answer.status == 200
    vkey = (place.state / "keys" / "log.vkey").read_text().strip()
    assert vkey in (place.state / "witness" / "witness.yaml").read_text()
    assert place.witness_vkey.startswith("demo-witness.example+")
    assert place.witness_vkey in stack.WITNESSES.format(url=place.witness_url, vkey=place.witness_vkey)


def test_what_it_has_signed_is_waited_for_and_not_for_ever(place, monkeypatch):
    monkeypatch.setattr(witness, "READY_WITHIN_S", -1.0)
    with pytest.raises(DemoError, match="had signed nothing"):
        witness.wait_until_cosigned(place)
    place.second.mkdir()
    (place.second / witness.COSIGNED).touch()
    witness.wait_until_cosigned(place)


def test_a_witness_that_cannot_be_made_says_so(place):
    (place.state / "witness").mkdir()
    (place.state / "witness" / "witness.yaml").touch()
    with pytest.raises(DemoError, match="is there already"), witness.running(place):
        pass


def test_a_witness_that_ends_says_so(place, monkeypatch):
    monkeypatch.setattr(witness, "_make", lambda stack, _vkey: (stack.state / "witness").mkdir())
    with pytest.raises(DemoError, match="the witness ended"), witness.running(place):
        pass
