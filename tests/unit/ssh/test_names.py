import pytest

from doorward_core.errors import ClientProtocolError
from doorward_ssh.names import Login, parse_inner, parse_user


@pytest.mark.parametrize("name", ["deploy@web1", "a@b", "A.b_c-1@db-1.eu.example", f"{'a' * 63}@{'b' * 63}"])
def test_an_account_on_a_resource_is_read_and_written_alike(name):
    login = parse_user(name)
    assert login is not None
    assert login.name == name


def test_the_jump_name_is_no_login():
    assert parse_user("jump") is None
    assert parse_user("jump@web1") == Login("jump", "web1")


def test_through_a_jump_host_the_host_names_the_resource():
    assert parse_inner("deploy", "web1") == Login("deploy", "web1")
    assert parse_inner("deploy@web1", "web1") == Login("deploy", "web1")
    assert parse_inner("jump", "web1") == Login("jump", "web1")


@pytest.mark.parametrize(
    ("account", "resource"),
    [("deploy@web2", "web1"), ("", "web1"), ("deploy@", "web1"), ("deploy", "web1:22"), ("deploy", "")],
)
def test_through_a_jump_host_another_resource_cannot_be_named(account, resource):
    with pytest.raises(ClientProtocolError):
        parse_inner(account, resource)


def test_a_refusal_does_not_quote_what_may_be_a_password():
    with pytest.raises(ClientProtocolError) as caught:
        parse_user("hunter2")
    assert "hunter2" not in str(caught.value)
