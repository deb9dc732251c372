"""Objects that kubectl sends in protobuf."""

import pytest

from doorward_demo.cluster_errors import ApiError
from doorward_demo.cluster_protobuf import read_object


def field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return bytes([number << 3, value])
    data = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2, len(data)]) + data


def enveloped(kind: str, message: bytes) -> bytes:
    return b"k8s\0" + field(1, field(1, "v1") + field(2, kind)) + field(2, message)


def test_a_secret_is_read_with_its_data_in_base64() -> None:
    metadata = field(1, field(1, "db") + field(3, "") + field(11, field(1, "app") + field(2, "web")))
    body = enveloped("Secret", metadata + field(2, field(1, "p") + field(2, "hunter2")) + field(3, "Opaque"))
    assert read_object(body) == {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": "db", "labels": {"app": "web"}},
        "data": {"p": "aHVudGVyMg=="},
        "type": "Opaque",
    }


def test_numbers_and_lists_are_read() -> None:
    rule = field(1, "get") + field(1, "list") + field(3, "pods")
    assert read_object(enveloped("Role", field(2, rule)))["rules"] == [
        {"verbs": ["get", "list"], "resources": ["pods"]}
    ]
    assert read_object(enveloped("Deployment", field(2, field(1, 3))))["spec"] == {"replicas": 3}


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"k8s\0", b"k8s\0\xff", enveloped("Unknown", b""), enveloped("Role", b"\x0b\x00")]
)
def test_what_is_not_known_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError):
        read_object(body)
