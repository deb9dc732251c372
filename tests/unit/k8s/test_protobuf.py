"""Protobuf is read as the JSON that it is, or not at all: no field passes unseen."""

import json

import pytest

from doorward_k8s.documents import Unreadable
from doorward_k8s.protobuf import as_json


def varint(value):
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def envelope(kind, message, version=b"v1"):
    return b"k8s\0" + field(1, field(1, version) + field(2, kind)) + field(2, message) + field(3, b"") + field(4, b"")


META = field(1, field(1, b"db") + field(2, b"") + field(8, b""))


def test_a_secret_is_read():
    data = field(2, field(1, b"p") + field(2, b"\xff\0"))
    assert json.loads(as_json(envelope(b"Secret", META + data + field(3, b"Opaque")))) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db"},
        "data": {"p": "/wA="},
        "type": "Opaque",
    }


def test_a_deployment_is_read_with_what_gives_it_power():
    container = field(1, b"a") + field(2, b"i") + field(8, b"") + field(15, field(2, 1))
    pod = field(2, container) + field(11, 1) + field(12, 0)
    message = META + field(2, field(1, 0) + field(3, field(2, pod)) + field(4, field(1, b""))) + field(3, field(1, 0))
    found = json.loads(as_json(envelope(b"Deployment", message, b"apps/v1")))
    assert found["spec"]["replicas"] == 0
    spec = found["spec"]["template"]["spec"]
    assert (spec["hostNetwork"], spec["hostPID"]) == (True, False)
    assert spec["containers"][0]["securityContext"] == {"privileged": True}


def test_an_ingress_is_read_and_what_lies_inline_is_told_where_it_stands():
    backend = field(4, field(1, b"web") + field(2, field(2, 80)))
    rule = field(1, b"a.example") + field(
        2, field(1, field(1, field(1, b"/") + field(2, backend) + field(3, b"Exact")))
    )
    message = META + field(2, field(3, rule) + field(2, field(1, b"a.example") + field(2, b"tls")))
    found = json.loads(as_json(envelope(b"Ingress", message, b"networking.k8s.io/v1")))["spec"]
    service = {"service": {"name": "web", "port": {"number": 80}}}
    paths = [{"path": "/", "backend": service, "pathType": "Exact"}]
    assert found == {
        "rules": [{"host": "a.example", "http": {"paths": paths}}],
        "tls": [{"hosts": ["a.example"], "secretName": "tls"}],
    }
    twice = field(3, field(2, field(1, b"")) + field(2, field(1, b"")))
    with pytest.raises(Unreadable):
        as_json(envelope(b"Ingress", META + field(2, twice), b"networking.k8s.io/v1"))


def test_a_kind_of_two_versions_is_read_by_its_version():
    target = field(1, b"Utilization") + field(3, field(1, b"1Gi")) + field(4, 50)
    metric = field(1, b"Resource") + field(4, field(1, b"cpu") + field(2, target))
    read = as_json(
        envelope(b"HorizontalPodAutoscaler", META + field(2, field(3, 3) + field(4, metric)), b"autoscaling/v2")
    )
    told = {"type": "Utilization", "averageValue": "1Gi", "averageUtilization": 50}
    assert json.loads(read)["spec"] == {
        "maxReplicas": 3,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": told}}],
    }
    with pytest.raises(Unreadable):
        as_json(envelope(b"HorizontalPodAutoscaler", META, b"autoscaling/v3"))


def test_ports_amounts_and_numbers_below_nought_are_read():
    port = field(3, 80) + field(4, field(1, 1) + field(2, 0) + field(3, b"http"))
    service = as_json(envelope(b"Service", META + field(2, field(1, port))))
    assert json.loads(service)["spec"]["ports"] == [{"port": 80, "targetPort": "http"}]
    hard = field(1, field(1, b"pods") + field(2, field(1, b"10")))
    assert json.loads(as_json(envelope(b"ResourceQuota", META + field(2, hard))))["spec"]["hard"] == {"pods": "10"}
    assert json.loads(as_json(envelope(b"PriorityClass", META + field(2, (1 << 64) - 5))))["value"] == -5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"k8s\0\xff",
        envelope(b"Unheard", META),
        envelope(b"Secret", META + field(9, b"what is this")),
        envelope(b"Secret", META + field(9, 7)),
        envelope(b"Secret", META + META),
        envelope(b"Secret", field(1, 7)),
        envelope(b"Secret", META + field(3, b"\xff")),
        envelope(b"Secret", META)[:-3],
        envelope(b"Deployment", META + field(2, field(3, field(2, field(1, b"volumes"))))),
        b"k8s\0" + field(1, field(2, b"Secret")) + field(2, META) + field(3, b"gzip"),
        b"k8s\0\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"k8s\0" + bytes([1 << 3 | 5]) + b"\0\0\0\0",
    ],
)
def test_what_is_not_known_whole_is_not_read(body):
    with pytest.raises(Unreadable):
        as_json(body)
