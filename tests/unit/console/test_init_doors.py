"""What every `doorward init` asks for: places to listen, names, paths, and what is refused before anything is dialled."""

from pathlib import Path

import pytest

from doorward_console.init_doors import CannotInit, Doors, Names, check, endpoint, fit_name, gateway, shown_path

DOORS = Doors("127.0.0.1:2222", "127.0.0.1:9465", "127.0.0.1:9464", None, None)
NAMES = Names("https://idp.example", ("doorward",), "readers", "approvers", "", "")


@pytest.mark.parametrize(("text", "place"), [("127.0.0.1:6432", ("127.0.0.1", 6432)), ("[::1]:6432", ("::1", 6432))])
def test_a_place_to_listen(text, place):
    assert endpoint(text) == place


@pytest.mark.parametrize("text", ["", ":1", "a:", "a:0", "a:65536", "a:-1", "a:\u0661"])
def test_no_place_to_listen(text):
    with pytest.raises(CannotInit):
        endpoint(text)


@pytest.mark.parametrize(
    ("given", "made"), [("shop", "shop"), ("my shop/2", "my-shop-2"), ("-", "target"), ("x" * 80, "x" * 63)]
)
def test_a_name_that_a_configuration_takes(given, made):
    assert fit_name(given) == made


def test_a_file_is_shown_relative_to_the_folder_that_it_lies_in(tmp_path):
    assert shown_path(tmp_path / "a" / "b", tmp_path) == "a/b"
    assert shown_path(Path("/etc/ssl"), tmp_path) == "/etc/ssl"


def test_names_are_chosen_where_none_were_given(tmp_path):
    made, files = gateway(tmp_path, DOORS, NAMES, resource="my web", account="deploy", kind="ssh")
    assert (made.resource, made.account, made.listen_at) == ("my-web", "deploy", ("127.0.0.1", 2222))
    assert made.origin.startswith("ssh-gateway.")
    assert sorted(files) == ["tls/gateway.crt", "tls/gateway.key"]
    assert "localhost" in made.self_signed


@pytest.mark.parametrize(
    ("doors", "names", "words"),
    [
        (DOORS, Names("ftp://x", (), "", "", "", ""), "--issuer"),
        (Doors("", "", "", Path("crt"), None), NAMES, "go together"),
        (Doors("", "", "", Path("/none/crt"), Path("/none/key")), NAMES, "there is no file"),
    ],
)
def test_what_cannot_be_is_said_first(tmp_path, doors, names, words):
    with pytest.raises(CannotInit, match=words):
        check(tmp_path, doors, names, (), force=False)


def test_nothing_is_overwritten_unasked(tmp_path):
    (tmp_path / "policy.yaml").touch()
    with pytest.raises(CannotInit, match="would be overwritten"):
        check(tmp_path, DOORS, NAMES, (), force=False)
    check(tmp_path, DOORS, NAMES, (), force=True)
