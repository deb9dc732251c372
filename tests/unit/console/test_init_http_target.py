import pytest

from doorward_console.init_doors import CannotInit
from doorward_console.init_http_target import BadTarget, check_path, parse_send, parse_target
from doorward_core.model import Secret


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://crm.example", "https://crm.example"),
        ("https://crm.example:8443/api/", "https://crm.example:8443/api"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1"),
    ],
)
def test_a_target_is_read_and_shown_as_the_configuration_has_it(url, shown):
    assert str(parse_target(url)) == shown


@pytest.mark.parametrize(
    "url",
    ["crm.example", "ftp://crm.example", "https://", "https://crm.example:0", "https://crm.example/?a=1", "https://a/#b",
     "https://crm.example/a//b", "https://crm.example/../b", "https://crm.example:99999", "https://a/\x1b[2J", "https://é"],
)  # fmt: skip
def test_what_is_no_target_is_refused(url):
    with pytest.raises(BadTarget, match="--target"):
        parse_target(url)


def test_a_target_with_a_credential_is_refused_and_not_repeated():
    with pytest.raises(BadTarget, match="take it out") as refused:
        parse_target("https://app:hunter2@crm.example")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("how", "headers"),
    [
        ("bearer", {"Authorization": "Bearer s3"}),
        ("basic", {"Authorization": "Basic YXBwOnMz"}),
        ("header:X-Api-Key", {"X-Api-Key": "s3"}),
        ("nothing", {}),
    ],
)
def test_a_credential_is_shown_as_it_was_asked_for(how, headers):
    assert parse_send(how).headers("app", Secret("s3")) == headers
    assert parse_send(how).headers("app", None) == {}


@pytest.mark.parametrize("how", ["", "token", "header:", "header:X Y", "header:X\r\nY"])
def test_no_other_way_to_show_a_credential_is_taken(how):
    with pytest.raises(CannotInit, match="--send"):
        parse_send(how)


@pytest.mark.parametrize("path", ["customers", "//customers", "/a/../b", "/a b", "/a\r\nX: y", "https://else.example/"])
def test_a_sample_is_a_path_below_the_target(path):
    with pytest.raises(CannotInit, match="--sample"):
        check_path(path)


def test_a_sample_may_have_a_query():
    assert check_path("/customers?limit=50&url=https://a/../b") == "/customers?limit=50&url=https://a/../b"
