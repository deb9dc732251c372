"""A request is read by the rules of the API: verb, group, resource, subresource, namespace, name; or it is unknown."""

import pytest

from doorward_core.http.messages import BadRequest
from doorward_core.http.paths import canonical
from doorward_k8s.calls import Kind, is_name, read_call


def call(method, target):
    found = canonical(target.encode())
    return read_call(method, found.path, found.query)


@pytest.mark.parametrize(
    ("method", "target", "verb", "place"),
    [
        ("GET", "/api/v1/namespaces/shop/pods", "list", "shop/core/pods/"),
        ("GET", "/api/v1/namespaces/shop/pods?watch=1", "watch", "shop/core/pods/"),
        ("GET", "/api/v1/namespaces/shop/pods?watch=", "watch", "shop/core/pods/"),
        ("GET", "/api/v1/namespaces/shop/pods?watch=false", "list", "shop/core/pods/"),
        ("GET", "/api/v1/watch/namespaces/shop/pods/web-0", "watch", "shop/core/pods/web-0"),
        ("GET", "/api/v1/pods", "list", "-/core/pods/"),
        ("HEAD", "/api/v1/namespaces/shop/pods/web-0", "get", "shop/core/pods/web-0"),
        ("GET", "/api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3Dweb-0", "list", "shop/core/pods/web-0"),
        ("GET", "/api/v1/namespaces/shop/pods?fieldSelector=metadata.name!%3Dweb-0", "list", "shop/core/pods/"),
        (
            "DELETE",
            "/api/v1/namespaces/shop/pods?fieldSelector=metadata.namespace!%3Da%5C,metadata.name%3Dweb-0",
            "deletecollection",
            "shop/core/pods/",
        ),
        ("GET", "/api/v1/namespaces/shop/pods/web-0/log", "get", "shop/core/pods/log/web-0"),
        ("GET", "/apis/apps/v1/namespaces/shop/deployments/web/scale", "get", "shop/apps/deployments/scale/web"),
        ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web/scale", "patch", "shop/apps/deployments/scale/web"),
        ("POST", "/apis/apps/v1/namespaces/shop/deployments", "create", "shop/apps/deployments/"),
        ("POST", "/api/v1/namespaces/shop/pods/web-0/eviction", "create", "shop/core/pods/eviction/web-0"),
        ("PUT", "/apis/x.example/v1alpha1/namespaces/shop/things/a", "update", "shop/x.example/things/a"),
        ("DELETE", "/api/v1/namespaces/shop/pods/web-0", "delete", "shop/core/pods/web-0"),
        ("DELETE", "/api/v1/namespaces/shop/pods?labelSelector=a", "deletecollection", "shop/core/pods/"),
        ("GET", "/api/v1/namespaces", "list", "-/core/namespaces/"),
        ("DELETE", "/api/v1/namespaces/shop", "delete", "shop/core/namespaces/shop"),
        ("PUT", "/api/v1/namespaces/shop/finalize", "update", "shop/core/namespaces/finalize/shop"),
        ("GET", "/api/v1/nodes/n1", "get", "-/core/nodes/n1"),
        (
            "GET",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node",
            "get",
            "-/rbac.authorization.k8s.io/clusterroles/system:node",
        ),
        ("GET", "/api/v1/namespaces/shop/pods/web-0/exec?command=sh", "connect", "shop/core/pods/exec/web-0"),
        ("POST", "/api/v1/namespaces/shop/pods/web-0/exec?command=sh", "connect", "shop/core/pods/exec/web-0"),
        ("GET", "/api/v1/nodes/n1/proxy/run/a/b", "connect", "-/core/nodes/proxy/n1"),
        ("DELETE", "/api/v1/namespaces/shop/services/web:80/proxy/x", "connect", "shop/core/services/proxy/web"),
        ("GET", "/api/v1/namespaces/shop/pods/https:web-0:8443/proxy/", "connect", "shop/core/pods/proxy/web-0"),
        ("GET", "/api/v1/nodes/:n1:10250/proxy/pods", "connect", "-/core/nodes/proxy/n1"),
    ],
)
def test_a_call_on_an_object(method, target, verb, place):
    found = call(method, target)
    assert (found.kind, found.verb, found.place) == (Kind.OBJECT, verb, place), found.problem


@pytest.mark.parametrize(
    "target",
    ["/", "/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1", "/version", "/openapi/v3/apis/apps/v1", "/readyz"],
)
def test_what_there_is_may_be_asked_for(target):
    assert call("GET", target).kind is Kind.DISCOVERY
    assert call("POST", target).kind is Kind.UNKNOWN


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("OPTIONS", "/api/v1/namespaces/shop/pods"),
        ("POST", "/api/v1/namespaces/shop/pods/web-0"),
        ("PUT", "/api/v1/namespaces/shop/pods"),
        ("PATCH", "/api/v1/namespaces/shop/pods"),
        ("DELETE", "/api/v1/namespaces/shop/pods/web-0/log"),
        ("POST", "/api/v1/watch/namespaces/shop/pods"),
        ("GET", "/api/v1/proxy/namespaces/shop/pods/web-0"),
        ("GET", "/api/v1/namespaces/shop/pods/ftp:web-0:21/proxy/"),
        ("GET", "/api/v1/namespaces/shop/pods/http:web-0:80:1/proxy/"),
        ("GET", "/api/v1/namespaces/shop/pods/http::80/proxy/"),
        ("GET", "/api/v1/namespaces/shop/pods/"),
        ("GET", "/api/v1/namespaces/shop/pods/web-0/log/more"),
        ("GET", "/api/v1/namespaces/Shop/pods"),
        ("GET", "/api/v1/namespaces/shop/Pods"),
        ("GET", "/api/one/namespaces/shop/pods"),
        ("GET", "/apis/APPS/v1/deployments"),
        ("GET", "/apis/apps/first"),
        ("GET", "/apis/APPS"),
        ("GET", "/api/v1/namespaces/shop/pods/a%20b"),
    ],
)
def test_what_the_rules_do_not_name_is_unknown_and_says_why(method, target):
    found = call(method, target)
    assert found.kind is Kind.UNKNOWN
    assert found.problem


def test_a_url_that_is_no_resource_is_read_by_its_path():
    assert (call("GET", "/metrics").kind, call("GET", "/metrics").place) == (Kind.URL, "/metrics")


def test_a_path_below_a_proxy_stays_what_it_was():
    assert call("GET", "/api/v1/namespaces/shop/pods/w/proxy/a/proxy/b").rest == "/a/proxy/b"


@pytest.mark.parametrize("target", ["/api/v1/namespaces/a/..%2fb/pods", "/api/v1//pods", "/api/v1/namespaces/a;x/pods"])
def test_a_path_that_could_be_read_in_two_ways_never_comes_so_far(target):
    with pytest.raises(BadRequest):
        canonical(target.encode())


def test_names_are_those_that_the_api_takes():
    assert is_name("system:node")
    assert not any(map(is_name, ("", ".", "..", "a/b", "a%b", "a\nb", "x" * 254)))
