"""A secret does not show itself, and does not travel."""

import copy
import json
import pickle

import pytest

from doorward_core import model
from doorward_core.secret import Secret

CANARY = "canary-5d2e"


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format, lambda one: f"{one}", lambda one: f"{[one]}"])
def test_a_secret_does_not_show_itself(show):
    secret = Secret(CANARY)
    assert CANARY not in show(secret)
    assert secret.reveal() == CANARY


@pytest.mark.parametrize("how", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_a_secret_does_not_travel(how):
    with pytest.raises(TypeError):
        how(Secret(CANARY))


def test_a_secret_has_no_other_way_in():
    secret = Secret(CANARY)
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        len(secret)


def test_the_page_of_nouns_has_it_too():
    assert model.Secret is Secret
