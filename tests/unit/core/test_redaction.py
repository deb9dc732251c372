import pytest

from doorward_core.redaction import is_secret, without_secret_members, without_secrets


@pytest.mark.parametrize("name", ["access_token", "X-Api-Key", "clientSecret", "password", "pwd", "sig", "a.jwt"])
def test_what_is_called_a_secret_is_one(name):
    assert is_secret(name)


@pytest.mark.parametrize("name", ["keyword", "codec", "author", "design", "passenger", "sidecar"])
def test_a_word_that_only_begins_so_is_none(name):
    assert not is_secret(name)


def test_a_query_keeps_its_order_and_loses_its_secrets():
    assert without_secrets("b=1&token=x=y&a&sig=&q=%20") == "b=1&token=…&a&sig=…&q=%20"


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ('{"password": "hunter2", "name": "Ada"}', '{"password": "…", "name": "Ada"}'),
        ('{"pin_code":1234,"n":1}', '{"pin_code":"…","n":1}'),
        ('data: {"api_key" : "a\\"b"}', 'data: {"api_key" : "…"}'),
        ('{"access_token": "cut off in the mid', '{"access_token": "…"'),
        ('{"tokens": {"a": 1}}', '{"tokens": {"a": 1}}'),
        ("no JSON: password is what it says", "no JSON: password is what it says"),
    ],
)
def test_members_that_are_called_secrets_lose_their_values(text, cut):
    assert without_secret_members(text) == cut


def test_a_hostile_text_is_read_in_one_go():
    for text in ('"' * 100_000, '"a' * 50_000, '"a":' * 50_000, '"\\' * 50_000):
        assert without_secret_members(text)
