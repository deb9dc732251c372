"""helm through the gateway: a small chart installed, changed, listed and taken away; what it keeps is masked."""

import json
import os
import subprocess

import kubectl_stand
import pytest
from k8s_stack import MASKS, POLICY

from doorward_core.event import EventKind

pytestmark = pytest.mark.need_helm

# helm keeps a release in a Secret of its own, and reads it again at the next command: it needs that one in clear.
HELM = """\
  - id: releases
    effect: allow
    who: {groups: [crew-shop]}
    resource: prod
    do: [read, write]
    objects: ["shop/core/secrets/**", "shop/core/configmaps/**"]
"""
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: settings\nversion: 0.1.0\n",
    "values.yaml": "colour: red\n",
    "templates/settings.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {colour: {{ .Values.colour }}}\n"
    ),
}


@pytest.fixture
def chart(tmp_path):
    folder = tmp_path / "settings"
    for name, text in CHART.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return str(folder)


def helm(k8s, *words, check=True, **who):
    home = k8s.state / "helm"
    done = subprocess.run(
        [kubectl_stand.helm(), *words, "-n", "shop", "--kubeconfig", str(k8s.kubeconfig(**who))],
        capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "HOME": str(home), "HELM_CACHE_HOME": str(home), "HELM_CONFIG_HOME": str(home)},
    )  # fmt: skip
    assert not check or done.returncode == 0, done.stderr
    return done


def test_a_chart_is_installed_changed_listed_and_taken_away(own_k8s, chart):
    k8s = own_k8s(policy=POLICY + HELM)
    assert "STATUS: deployed" in helm(k8s, "install", "app", chart).stdout
    assert k8s.cluster.stored("configmaps", "app", "shop")["data"] == {"colour": "red"}
    assert "REVISION: 2" in helm(k8s, "upgrade", "app", chart, "--set", "colour=green").stdout
    assert k8s.cluster.stored("configmaps", "app", "shop")["data"] == {"colour": "green"}
    (release,) = json.loads(helm(k8s, "list", "-o", "json").stdout)
    assert (release["name"], release["revision"]) == ("app", "2")
    assert "uninstalled" in helm(k8s, "uninstall", "app").stdout
    assert "not found" in helm(k8s, "status", "app", check=False).stderr
    k8s.until_recorded(EventKind.OPERATION_FINISHED, "delete shop/core/configmaps/app")
    agents = {one.user.name for one in k8s.reached("/configmaps/app")}
    assert agents == {"doorward:crew-1"}


def test_without_leave_it_is_told_why(own_k8s, chart):
    k8s = own_k8s()
    told = helm(k8s, "install", "app", chart, check=False)
    assert "No rule allows write (create) on shop/core/secrets/sh.helm.release.v1.app.v1" in told.stderr


def test_a_release_that_is_masked_is_not_written_over(own_k8s, chart):
    k8s = own_k8s(policy=POLICY + HELM + MASKS)
    office = ("crew-shop", "privacy-office")
    helm(k8s, "install", "app", chart, groups=office)
    told = helm(k8s, "upgrade", "app", chart, "--set", "colour=green", check=False)
    assert told.returncode != 0
    assert k8s.cluster.stored("configmaps", "app", "shop")["data"] == {"colour": "red"}
    helm(k8s, "upgrade", "app", chart, "--set", "colour=green", groups=office)
    assert k8s.cluster.stored("configmaps", "app", "shop")["data"] == {"colour": "green"}
