"""The target block of a Kubernetes resource: one way to the cluster, and never an unverified one."""

import pytest
from pydantic import ValidationError

from doorward_k8s.settings import Impersonate, K8sTarget


def target(**given):
    return K8sTarget.model_validate({"at": ("/prod",), "server": "https://api:6443", **given})


def test_the_defaults_are_the_safe_ones():
    settings = target()
    assert settings.impersonate == Impersonate(prefix="doorward:", groups=True, extra=True)
    assert (settings.hold, settings.body_bytes) == (600.0, 4 * 1024 * 1024)
    assert target(impersonate=False).impersonate is False


@pytest.mark.parametrize(
    "given",
    [
        {"server": None},
        {"in_cluster": True},
        {"server": "http://api.internal"},
        {"server": None, "in_cluster": True, "tls": {"server_name": "x"}},
        {"server": "http://127.0.0.1:1", "tls": {"server_name": "x"}},
        {"impersonate": {"prefix": "system:"}},
        {"impersonate": {"prefix": "a b"}},
        {"impersonate": True},
        {"at": ()},
        {"insecure": True},
    ],
)
def test_what_cannot_be_meant_is_refused(given):
    with pytest.raises(ValidationError):
        target(**given)
