"""kubectl port-forward: a tunnel over WebSocket, decided, and said to be unseen."""

import re
import socket
import threading

import pytest

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
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
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
