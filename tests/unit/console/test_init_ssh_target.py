"""How an SSH server is written, and which of its keys are read from a scan."""

import contextlib
import socket
import threading

import pytest

from doorward_console.init_ssh_target import BadTarget, CannotScan, Place, parse_target, read_scan, scan

ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIGY1VvcpQWHf8bXgh4kmOoZWy+HMMCWf9yJVT3SHhDvx"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("deploy@web1", Place("deploy", "web1", 22)),
        ("deploy@web1.example:2200", Place("deploy", "web1.example", 2200)),
        ("ssh://root@10.0.0.5", Place("root", "10.0.0.5", 22)),
        ("deploy@[2001:db8::1]:22", Place("deploy", "2001:db8::1", 22)),
        ("ann@corp.example@web1", Place("ann@corp.example", "web1", 22)),
    ],
)
def test_a_target_is_an_account_at_a_host(text, place):
    assert parse_target(text) == place
    assert parse_target(str(place)) == place


@pytest.mark.parametrize(
    "text",
    ["", "web1", "@web1", "a@", "a@-oProxyCommand=x", "-x@web1", "a@b:0", "a@b:65536", "a@b:x", "a@b:1:2", "a@::1",
     "a b@c", "a@b c", "a@b\n", "a@b:\u0661"],
)  # fmt: skip
def test_what_is_no_target_is_refused(text):
    with pytest.raises(BadTarget, match="user@host"):
        parse_target(text)


def test_keys_are_read_best_first_with_the_fingerprint_that_people_compare():
    rsa = "AAAAB3NzaC1yc2E="
    (best, other) = read_scan(f"# web1:22 SSH-2.0\nweb1 ssh-rsa {rsa}\nweb1 ssh-ed25519 {ED25519}\n")
    assert (best.kind, best.line, other.kind) == ("ssh-ed25519", f"ssh-ed25519 {ED25519}", "ssh-rsa")
    assert best.fingerprint.startswith("SHA256:")
    assert len(best.fingerprint) == 50


@pytest.mark.parametrize(
    "row",
    [
        "",
        "web1",
        "web1 ssh-ed25519",
        "web1 ssh-dss AAAA",
        f"web1 ssh-rsa {ED25519}",
        "web1 ssh-ed25519 !!!!",
        "\x1b[2J a b",
    ],
)
def test_what_is_no_key_is_left_out(row):
    assert read_scan(row) == []


def test_what_kept_a_server_from_showing_a_key_is_said():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closing = threading.Thread(target=hang_up, args=(listener,))
        closing.start()
        with pytest.raises(CannotScan, match=r"shows no host key \(Connection .*\): is it an SSH server"):
            scan(parse_target(f"deploy@127.0.0.1:{listener.getsockname()[1]}"))
        listener.shutdown(socket.SHUT_RDWR)
        closing.join(10)


def hang_up(listener):
    """Take connections and close them, until nobody listens any more."""
    with contextlib.suppress(OSError):
        while True:
            listener.accept()[0].close()
