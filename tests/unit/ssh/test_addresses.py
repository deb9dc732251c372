"""One spelling for each address, whatever way it was written."""

import pytest

from doorward_ssh.addresses import BadAddress, canonical, forward_atoms, is_local, socket_atoms


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0X7F.0.0.1", "0177.0.0.1", "017700000001", "2130706433", "0x7f000001",
        "::ffff:127.0.0.1", "[::ffff:7f00:1]", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:0001::", "::ffff:0:127.0.0.1",
        "localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "127.0.0.1.",
    ],
)  # fmt: skip
def test_the_target_itself_has_one_name(host: str) -> None:
    assert canonical(host) == "127.0.0.1"
    assert is_local(canonical(host))


@pytest.mark.parametrize(
    ("host", "name", "local"),
    [
        ("0", "0.0.0.0", True),
        ("0x0", "0.0.0.0", True),
        ("::", "::", True),
        ("::1", "::1", True),
        ("ip6-localhost", "::1", True),
        ("0.1.2.3", "0.1.2.3", True),
        ("127.255.255.254", "127.255.255.254", True),
        ("169.254.169.254", "169.254.169.254", True),
        ("2852039166", "169.254.169.254", True),
        ("::ffff:a9fe:a9fe", "169.254.169.254", True),
        ("fe80::1", "fe80::1", True),
        ("FD00:EC2::254", "fd00:ec2::254", True),
        ("metadata.google.internal.", "metadata.google.internal", True),
        ("224.0.0.1", "224.0.0.1", True),
        ("255.255.255.255", "255.255.255.255", True),
        ("10.0.0.5", "10.0.0.5", False),
        ("012.0.0.5", "10.0.0.5", False),
        ("2001:DB8::1", "2001:db8::1", False),
        ("2001:0db8:0:0:0:0:0:1", "2001:db8::1", False),
        ("DB1.Example.COM.", "db1.example.com", False),
        ("my_host", "my_host", False),
    ],
)
def test_each_address_has_one_spelling(host: str, name: str, local: bool) -> None:
    assert canonical(host) == name
    assert is_local(name) is local


@pytest.mark.parametrize(
    "host",
    [
        "", "a b", "a\0b", "x" * 254, "bücher.example", "１２７.0.0.1", "127.0.0.1.1", "1.2.3.256", "0x100.0.0.1", "08.0.0.1",
        "256.1", "4294967296", "fe80::1%eth0", "::g", "[127.0.0.1]", "[::1", "-a.example", "a..b", "a.-b", "*.example",
        "127.0.0.1:22", "user@host", "http://x", "a/b", "1.2.3.0x", "host%00", "0x7g.1",
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(host: str) -> None:
    if host == "1.2.3.0x":  # inet_aton reads a bare 0x as nought, where it reads it at all
        assert canonical(host) == "1.2.3.0"
        return
    with pytest.raises(BadAddress):
        canonical(host)


def test_a_wide_rule_for_addresses_does_not_speak_of_the_target_itself() -> None:
    kinds = {atom.target.kind for atom in forward_atoms("127.0.0.1", 5432)}
    assert kinds == {"address", "local-address"}
    assert [atom.target.name for atom in forward_atoms("2001:db8::1", 5432)] == ["[2001:db8::1]:5432"]
    assert {atom.target.kind for atom in forward_atoms("10.0.0.5", 5432)} == {"address"}


@pytest.mark.parametrize("port", [-1, 65536, 1 << 31])
def test_a_port_is_a_port(port: int) -> None:
    with pytest.raises(BadAddress):
        forward_atoms("10.0.0.5", port)


@pytest.mark.parametrize(
    "path", ["", "run/x", "/run/../x", "/run//x", "/run/./x", "/a\0b", "/" + "x" * 107, "/a\nb", "/run/"]
)
def test_a_socket_has_one_absolute_path(path: str) -> None:
    with pytest.raises(BadAddress):
        socket_atoms(path)
    assert socket_atoms("/run/docker.sock")[0].target.name == "/run/docker.sock"
