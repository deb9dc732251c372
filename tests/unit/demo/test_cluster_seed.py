"""What is in the demonstration's cluster."""

import json
from pathlib import Path

from doorward_demo.cluster import Cluster
from doorward_demo.cluster_seed import PASSWORD, SHOP, pods, shop


def test_the_shop_can_be_made_and_holds_its_password_where_one_has_to_look(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        cluster.add(*shop())
        secret = cluster.stored("secrets", "db", SHOP)
        assert PASSWORD in secret["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
        assert set(secret["data"]) == {"password", "url"}
        assert PASSWORD in json.dumps(cluster.stored("pods", "web-0", SHOP))
        assert cluster.stored("deployments", "web", SHOP, "apps")["status"]["readyReplicas"] == 2


def test_pods_of_a_measurement_have_names_of_their_own() -> None:
    made = pods(30)
    assert len({one["metadata"]["name"] for one in made}) == 30
    assert all(1500 < len(json.dumps(one)) < 4000 for one in made)
