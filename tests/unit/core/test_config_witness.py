"""`record.witnesses` of the configuration."""

import base64
import hashlib

import pytest
from pydantic import ValidationError

from doorward_core.config_witness import WitnessesSettings


def entry(name="witness.example/w1", url="https://w.example/", key=None):
    key = key or base64.b64encode(b"\x04" + hashlib.sha256(name.encode()).digest()).decode()
    return {"url": url, "vkey": f"{name}+0a1b2c3d+{key}"}


def test_a_quorum_of_two():
    made = WitnessesSettings.model_validate({"quorum": 1, "list": (entry(), entry("w2")), "lag": "10m"})
    assert (made.lag, made.list[0].name, made.list[0].url) == (600, "witness.example/w1", "https://w.example")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quorum": 3}, "never reached"),
        ({"quorum": 0}, "greater than or equal to 1"),
        ({"list": ()}, "at least one"),
        ({"list": (entry(), entry())}, "stands here twice"),
        ({"list": tuple(entry(f"w{number}") for number in range(17))}, "at most 16"),
        ({"list": (entry(url="http://w.example"),)}, "https://"),
        ({"list": (entry(url="https://u@w.example"),)}, "https://"),
        ({"list": ({"url": "https://w.example", "vkey": "x"},)}, "doorward witness init"),
        ({"lag": "0s"}, "whole second"),
        ({"list": (entry(key="A" * 44), entry("w2", key="A" * 44))}, "they are one"),
    ],
)
def test_faults_in_words(changes, words):
    with pytest.raises(ValidationError, match=words):
        WitnessesSettings.model_validate({"quorum": 1, "list": (entry(), entry("w2"))} | changes)


def test_on_loopback_plain_http_will_do():
    assert WitnessesSettings.model_validate({"quorum": 1, "list": (entry(url="http://127.0.0.1:1"),)}).quorum == 1
