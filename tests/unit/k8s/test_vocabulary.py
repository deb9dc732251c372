"""What may be doubted in a policy about a cluster, and what must not be."""

import pytest

from doorward_core.policy.objects import CORE
from doorward_k8s import vocabulary
from doorward_k8s.effects import BUILT_IN
from doorward_k8s.reviews import CLUSTER_WIDE
from doorward_k8s.vocabulary import doubted_column, doubted_fact, doubted_place


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("shop/v1/pods/*", "a place has no version"),
        ("shop/apps/v1/deployments/*", "a place has no version"),
        ("shop/core/pod/*", "`core` has no resource `pod` that is known here; did you mean `pods`?"),
        ("shop/networking.k8s.io/ingress/*", "did you mean `ingresses`?"),
        ("shop/networking.k8s.io/networkpolicy/*", "did you mean `networkpolicies`?"),
        ("shop/apps/deploy/*", "did you mean `deployments`?"),
        ("shop/core/Pods/*", "`Pods` is a kind"),
        ("shop/apps/Deployment/*", "did you mean `deployments`?"),
        ("shop/core/deployments/*", "`deployments` are in the group `apps`, not in `core`"),
        ("*/rbac/roles/*", "there is no group `rbac`; did you mean `rbac.authorization.k8s.io`?"),
        ("*/app/deployments/*", "there is no group `app`; did you mean `apps`?"),
        ("shop/core/pods/web-0/exec", "a subresource stands before the name: `shop/core/pods/exec/web-0`"),
        ("!connect shop/core/pods/exec", "`shop/core/pods/exec/*`"),
        ("create shop/core/pods/exec/*", "the verb of `exec` is `connect`"),
        ("shop/rbac.authorization.k8s.io/clusterroles/*", "write `-/rbac.authorization.k8s.io/clusterroles/...`"),
        ("shop/core/nodes/**", "are in no namespace"),
    ],
)
def test_a_place_that_no_call_has_is_doubted(pattern, said):
    assert said in doubted_place(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "**", "shop/**", "shop/core/**", "*/core/secrets/*", "get,list -/core/nodes/*", "!kube-system/**",
        "shop/apps/deployments/scale/*", "connect shop/core/pods/exec/*", "shop/core/pods/portforward/db-*",
        "shop/core/namespaces/shop", "-/core/namespaces/*", "*/rbac.authorization.k8s.io/*/*", "shop/*/dep*/*",
        "shop/shop.example/vouchers/*", "delete shop/core/pods/web-*", "shop/core/serviceaccounts/token/*",
        "*/core/nodes/*", "shop/core/configmaps/v1",
    ],
)  # fmt: skip
def test_a_place_that_a_call_may_have_is_not(pattern):
    assert doubted_place(pattern) == ""


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("dryrun", ("all",), "did you mean `dry-run`?"),
        ("dry-run", ("All",), "`dry-run` is never `All`; it is all or no"),
        ("tty", ("yes",), "it is false or true"),
        ("pod.images", (), "did you mean `pod.image`?"),
        ("power.hostpath", ("true",), "did you mean `power.hostPath`?"),
        ("query.limit", (), "`query.limit` is no fact of a call"),
    ],
)
def test_a_fact_that_no_call_has_is_doubted(name, values, said):
    assert said in doubted_fact(name, values)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("dry-run", ("all",)),
        ("dry-run", ("*",)),
        ("pod.image", ("x",)),
        ("power.hostPath", ("true",)),
        ("port", ("1",)),
    ],
)
def test_a_fact_that_calls_have_is_not(name, values):
    assert doubted_fact(name, values) == ""


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("secret", "write one of configmaps, env, secrets, tokens"),
        ("Secrets", "names nothing in Kubernetes"),
        ("data.password", "or a path as `secrets:$.data.password`"),
        ("public.customer.email", "names nothing in Kubernetes"),
        ("secret:$.data", "did you mean `secrets`?"),
        ("v1/secrets:$.data", "`v1/secrets` is none of them"),
        ("shop/secrets:$.data", "`shop/secrets` is none of them"),
        ("apps/deployments:$.spec", "`apps/deployments` is none of them"),
    ],
)
def test_a_mask_that_hides_nothing_is_doubted(column, said):
    assert said in doubted_column(column)


@pytest.mark.parametrize(
    "column",
    [
        "secrets", "env", "$..password", "secrets:$.data.*", "deployments.apps:$.spec", "serviceaccounts/token:$.x",
        "*.example.com:$..p", "vouchers:$.spec.worth", "Pods:$.x",
    ],
)  # fmt: skip
def test_a_mask_that_may_hide_something_is_not(column):
    assert doubted_column(column) == ""


def test_its_groups_are_those_that_are_told_apart_elsewhere():
    named = {"" if group == CORE else group for group in vocabulary._SERVED}
    assert named <= BUILT_IN
    assert BUILT_IN - named == {"extensions", "internal.apiserver.k8s.io", "storagemigration.k8s.io"}
    assert vocabulary._all() >= CLUSTER_WIDE
