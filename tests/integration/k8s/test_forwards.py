"""kubectl port-forward: a tunnel over WebSocket, decided, and said to be unseen."""

import re
import socket
import threading

import pytest
from k8s_stack import POLICY

from doorward_core.event import EventKind

pytestmark = pytest.mark.need_kubectl


@pytest.fixture
def echo():
    """A server on this machine that says back what it is told, in capitals."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    near, _ = listener.accept()
                except OSError:
                    return
                with near:
                    near.sendall(near.recv(100).upper())

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_port_is_forwarded_where_policy_allows_it(k8s, echo):
    k8s.cluster.inside(lambda: k8s.cluster.api.pods.ports.update({("shop", "web-0", 5432): echo}))
    forwarding = k8s.start_kubectl("port-forward", "-n", "shop", "pod/web-0", ":5432")
    port = int(re.search(r"127\.0\.0\.1:(\d+)", forwarding.stdout.readline())[1])
    for said in (b"hello", b"again"):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(said)
            assert client.recv(100) == said.upper()
    forwarding.terminate()
    (decided,) = k8s.until_recorded(EventKind.OPERATION_DECIDED, "portforward shop/core/pods/portforward/web-0")
    assert (decided.header["action"], decided.header["unseen"]) == ("forward", ["tunnel"])
    (finished,) = k8s.until_recorded(EventKind.OPERATION_FINISHED, "portforward shop/core/pods/portforward/web-0")
    assert finished.header["bytes_up"] > 0


def test_elsewhere_it_is_refused_in_words(k8s):
    told = k8s.kubectl("port-forward", "-n", "store", "pod/till-0", ":5432", check=False)
    assert "No rule allows forward (connect) on store/core/pods/portforward/till-0" in told.said
    assert not k8s.reached("/portforward")


ONE_PORT = POLICY.replace(
    'objects: ["shop/core/pods/portforward/*"]\n',
    'objects: ["shop/core/pods/portforward/*"]\n    when: {port: ["5432"]}\n',
)
NO_SHELLS = """\
  - id: no-shells
    effect: block
    resource: prod
    do: [forward]
    objects: ["shop/core/pods/portforward/*"]
    when: {port: ["22"]}
    reason: Nobody logs in to a pod.
"""
HELD = POLICY.replace("effect: allow\n    who: {groups: [crew-shop]}\n    resource: prod\n    do: [forward]",
                      "effect: hold\n    who: {groups: [crew-shop]}\n    resource: prod\n    do: [forward]\n"
                      "    approve: {by: {groups: [platform]}}")  # fmt: skip


def forwarded(k8s, *ports):
    forwarding = k8s.start_kubectl("port-forward", "-n", "shop", "pod/web-0", *(f":{port}" for port in ports))
    return forwarding, forwarding.stdout


def reach(out, said=b"hello"):
    port = int(re.search(r"127\.0\.0\.1:(\d+)", out.readline())[1])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        try:
            client.sendall(said)
            return client.recv(100)
        except (ConnectionResetError, BrokenPipeError):  # how a kubectl ends what it forwarded when its tunnel ends
            return b""


def opened(k8s, echo, port):
    k8s.cluster.inside(lambda: k8s.cluster.api.pods.ports.update({("shop", "web-0", port): echo}))


def test_policy_sees_which_port_is_asked_for(own_k8s, echo):
    k8s = own_k8s(policy=ONE_PORT)
    opened(k8s, echo, 5432)
    opened(k8s, echo, 22)
    forwarding, out = forwarded(k8s, 5432)
    assert reach(out) == b"HELLO"
    (decided,) = k8s.until_recorded(EventKind.OPERATION_DECIDED, "to port 5432")
    assert (decided.header["action"], decided.header["verdict"]) == ("forward", "permit")
    (tunnel,) = k8s.until_recorded(EventKind.OPERATION_DECIDED, "opens the tunnel alone")
    assert decided.payload["attributes"]["for"].replace("-", "") == tunnel.operation_id.hex()
    forwarding.terminate()
    _, out = forwarded(k8s, 22)
    assert reach(out) == b""
    (decided,) = k8s.until_recorded(EventKind.OPERATION_DECIDED, "to port 22")
    assert (decided.header["action"], decided.header["verdict"]) == ("forward", "deny")
    told = k8s.kubectl("port-forward", "-n", "store", "pod/till-0", ":5432", check=False)
    assert "No rule allows forward (connect) on store/core/pods/portforward/till-0" in told.said


def test_one_port_can_be_kept_shut(own_k8s, echo):
    k8s = own_k8s(policy=POLICY + NO_SHELLS)
    opened(k8s, echo, 5432)
    opened(k8s, echo, 22)
    forwarding, out = forwarded(k8s, 5432)
    assert reach(out) == b"HELLO"
    forwarding.terminate()
    forwarding, out = forwarded(k8s, 22)
    assert reach(out) == b""
    k8s.until_recorded(EventKind.OPERATION_DECIDED, "to port 22")


def test_what_was_approved_for_the_tunnel_is_approved_for_its_ports(own_k8s, echo):
    k8s = own_k8s(policy=HELD + NO_SHELLS)
    opened(k8s, echo, 5432)
    forwarding, out = forwarded(k8s, 5432)
    (waiting,) = k8s.waiting()
    k8s.vote(waiting["id"])
    assert reach(out) == b"HELLO"
    forwarding.terminate()
