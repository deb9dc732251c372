"""K-09: ports that are forwarded, and how they may be spelt."""

import base64

import pytest
from k8s_stack import POLICY, k8s_started

UPGRADE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": base64.b64encode(b"k" * 16).decode(),
}


@pytest.mark.parametrize("spelt", ["022", "%2B22", "22%20", "22&ports=", "8080&ports=0022"])
def test_k_09_a_blocked_port_is_blocked_however_it_is_spelt(blocking, spelt):
    path = f"/api/v1/namespaces/shop/pods/web-0/portforward?ports={spelt}"
    status, _, told = blocking.raw("GET", path, headers={**UPGRADE, "sec-websocket-protocol": "v4.channel.k8s.io"})
    assert (status, "no-ssh" in told["message"]) == (403, True)
    assert not blocking.reached("portforward")


@pytest.fixture(scope="module")
def blocking(tmp_path_factory):
    """A gateway that forwards to every port but one."""
    rule = '  - {id: no-ssh, effect: block, resource: prod, do: [forward], when: {port: ["22"]}, reason: Not that.}\n'
    with k8s_started(tmp_path_factory.mktemp("blocking"), policy=POLICY + rule) as gateway:
        yield gateway
