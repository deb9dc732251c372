"""A cluster of our own, and the real kubectl in front of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubectl_stand import Kubectl

from doorward_demo.cluster import ADMIN, Cluster

WEB = {
    "kind": "Pod",
    "apiVersion": "v1",
    "metadata": {"name": "web-0", "labels": {"app": "web"}},
    "spec": {
        "containers": [
            {
                "name": "web",
                "image": "nginx",
                "env": [{"name": "P", "value": "hunter2"}],
                "ports": [{"containerPort": 80}],
            }
        ]
    },
}
DATABASE = {
    "kind": "Secret",
    "apiVersion": "v1",
    "metadata": {"name": "db"},
    "stringData": {"password": "hunter2"},
}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    with Cluster(folder) as running:
        running.add(WEB, DATABASE)
        yield running
    assert running.errors == []


@pytest.fixture
def kubectl(cluster: Cluster, tmp_path: Path) -> Kubectl:
    """kubectl as the cluster's own administrator, with nothing between them."""
    return Kubectl(cluster.kubeconfig(tmp_path / "direct.json", ADMIN), tmp_path)
