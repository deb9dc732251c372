"""K-06 and K-12: Secrets in every shape and format that the API server has for them, and lists that go on.

Each request goes to an API server as the gateway would ask it, and its answer through what the gateway makes of it.
"""

import base64
import gzip
import json
import ssl
from collections.abc import Iterator
from http.client import HTTPSConnection
from typing import Any

import pytest

from doorward_core.http.messages import Headers, ResponseHead
from doorward_core.model import Mask, Transform
from doorward_demo.cluster import ADMIN, Cluster
from doorward_demo.cluster_kinds import BY_PATH
from doorward_k8s.accept import NotAcceptable
from doorward_k8s.object_paths import LAST_APPLIED, Resource
from doorward_k8s.objects import Masked, ObjectMasks, Unmaskable, writes_hidden

VALUE = "S3cr3t-Value-7719"
BASE64 = base64.b64encode(VALUE.encode()).decode()
SECRETS = Resource("", "secrets")
MASKS = ObjectMasks(
    (
        Mask("hide", ("secrets", "env", "tokens", "configmaps:$.data.password"), (), Transform.REDACT, "secret"),
        Mask("codes", ("vouchers:$.spec.code",), (), Transform.REDACT, "code"),
        Mask("find", (), ("email",), Transform.REDACT, "email"),
    ),
    b"k" * 32,
)
APPLIED = json.dumps({"kind": "Secret", "data": {"password": BASE64}, "stringData": {"other": VALUE}})
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
SECRET = "/api/v1/namespaces/default/secrets"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        annotated = {"name": "db", "annotations": {LAST_APPLIED: APPLIED}}
        environment = [{"name": "A", "value": VALUE}]
        running.add(
            {"kind": "Secret", "apiVersion": "v1", "metadata": annotated, "stringData": {"password": VALUE}},
            {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "cache"}, "stringData": {"password": VALUE}},
            {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "db"}, "data": {"password": VALUE}},
            {"kind": "Voucher", "apiVersion": "shop.example/v1", "metadata": {"name": "v"}, "spec": {"code": VALUE}},
            {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "default"}},
            {
                "kind": "Pod",
                "apiVersion": "v1",
                "metadata": {"name": "web"},
                "spec": {"containers": [{"name": "web", "image": "i", "env": environment}]},
            },
        )
        yield running


class Through:
    """One request as the gateway asks it, and its answer as the gateway hands it on."""

    def __init__(self, cluster: Cluster, resource: Resource) -> None:
        self._cluster = cluster
        self._owed = MASKS.of(resource)
        self.headers: Headers = ()

    def __call__(self, method: str, target: str, body: Any = None, **headers: str) -> bytes:
        sent = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
        asked = self._owed.ask(sent, method)
        context = ssl.create_default_context(cafile=self._cluster.authority)
        connection = HTTPSConnection("localhost", self._cluster.port, context=context, timeout=60)
        named = {name.decode(): value.decode() for name, value in asked.headers}
        payload = None if body is None else json.dumps(body).encode()
        connection.request(method, target, payload, {**named, "authorization": f"Bearer {ADMIN}"})
        answer = connection.getresponse()
        received = tuple((name.lower().encode(), value.encode()) for name, value in answer.getheaders())
        plan = self._owed.plan(ResponseHead(answer.status, received), method, asked)
        assert isinstance(plan, Masked), plan
        self.headers = plan.headers
        out = plan.body.feed(answer.read()) + plan.body.end()
        connection.close()
        return out


def hidden(out: bytes) -> bytes:
    """What a client gets, once it is known to hold the value in no spelling."""
    for spelt in (VALUE, BASE64, *(base64.b64encode(b"x" * lead + VALUE.encode()).decode()[4:-4] for lead in (1, 2))):
        assert spelt.encode() not in out
    return out


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", TABLE, METADATA, "application/yaml",
                                    "application/vnd.kubernetes.protobuf,application/json",
                                    "application/cbor,application/json;q=0.1"])  # fmt: skip
@pytest.mark.parametrize(
    "target",
    [f"{SECRET}/db", SECRET, "/api/v1/secrets", f"{SECRET}?includeObject=Object", f"{SECRET}?limit=1",
     f"{SECRET}?fieldSelector=metadata.name%3Ddb",
     f"{SECRET}?watch=1&timeoutSeconds=0.2", "/api/v1/watch/secrets?timeoutSeconds=0.2",
     f"{SECRET}?watch=true&timeoutSeconds=0.2&includeObject=Object&sendInitialEvents=true&allowWatchBookmarks=true"],
)  # fmt: skip
def test_k_06_a_secret_is_hidden_in_every_shape_and_format(cluster: Cluster, accept: str, target: str) -> None:
    out = hidden(Through(cluster, SECRETS)("GET", target, **({"accept": accept} if accept else {})))
    assert b'"db"' in out or b'"cache"' in out
    for line in out.splitlines():
        json.loads(line)


@pytest.mark.parametrize("accept", ["application/vnd.kubernetes.protobuf", "application/cbor", "text/html"])
def test_k_06_formats_that_nobody_can_look_into_are_not_acceptable(cluster: Cluster, accept: str) -> None:
    with pytest.raises(NotAcceptable):
        Through(cluster, SECRETS)("GET", SECRET, accept=accept)


@pytest.mark.parametrize("media", [b"application/vnd.kubernetes.protobuf", b"application/cbor", b"application/yaml"])
def test_k_06_a_server_that_answers_in_one_of_them_all_the_same_is_not_let_through(media: bytes) -> None:
    assert isinstance(MASKS.of(SECRETS).plan(ResponseHead(200, ((b"content-type", media),)), "GET"), Unmaskable)


def test_k_06_a_packed_list_is_hidden(cluster: Cluster) -> None:
    pad = {f"k{number}": "x" * 1000 for number in range(200)}
    cluster.add(
        {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "large"}, "stringData": {**pad, "p": VALUE}}
    )
    through = Through(cluster, SECRETS)
    out = through("GET", SECRET, accept_encoding="gzip")
    assert (b"content-encoding", b"gzip") in through.headers
    hidden(gzip.decompress(out))
    cluster.remove("secrets", "large")


def test_k_06_what_a_write_is_answered_with_is_hidden(cluster: Cluster) -> None:
    through = Through(cluster, SECRETS)
    document = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "new"}, "stringData": {"a": VALUE}}
    json_type, merge, applying = "application/json", "application/merge-patch+json", "application/apply-patch+yaml"
    labels = {"metadata": {"labels": {"a": "b"}}}
    hidden(through("POST", f"{SECRET}?dryRun=All", document, content_type=json_type))
    hidden(through("POST", SECRET, document, content_type=json_type))
    hidden(through("PUT", f"{SECRET}/new", document, content_type=json_type))
    hidden(through("PATCH", f"{SECRET}/new", labels, content_type=merge))
    hidden(through("PATCH", f"{SECRET}/new?dryRun=All", labels, content_type=merge))
    hidden(through("PATCH", f"{SECRET}/new?fieldManager=x&force=true", document, content_type=applying))
    hidden(through("DELETE", f"{SECRET}?fieldSelector=metadata.name%3Dnew"))


def test_k_06_field_managers_are_told_without_values_and_as_they_are(cluster: Cluster) -> None:
    out = json.loads(hidden(Through(cluster, SECRETS)("GET", f"{SECRET}/db")))
    assert out["metadata"]["managedFields"] == cluster.stored("secrets", "db")["metadata"]["managedFields"]
    assert "f:password" in out["metadata"]["managedFields"][0]["fieldsV1"]["f:data"]


def test_k_06_what_was_applied_last_stays_an_object_without_its_values(cluster: Cluster) -> None:
    out = json.loads(hidden(Through(cluster, SECRETS)("GET", f"{SECRET}/db", accept=METADATA)))
    applied = json.loads(out["metadata"]["annotations"][LAST_APPLIED])
    assert base64.b64decode(applied["data"]["password"]) == b"[masked:secret]"
    assert applied["stringData"] == {"other": "[masked:secret]"}


@pytest.mark.parametrize("name", ["kapp.k14s.io/original", "configmanagement.gke.io/declared-config", "any.tool/copy"])
@pytest.mark.parametrize("accept", ["application/json", METADATA, TABLE])
def test_k_06_a_copy_that_a_tool_keeps_in_an_annotation_is_hidden_too(cluster: Cluster, name: str, accept: str) -> None:
    copied = {"name": "copied", "annotations": {name: APPLIED}}
    cluster.add({"kind": "Secret", "apiVersion": "v1", "metadata": copied, "stringData": {"password": VALUE}})
    try:
        for target in (f"{SECRET}/copied", SECRET):
            assert name.encode() in hidden(Through(cluster, SECRETS)("GET", target, accept=accept))
    finally:
        cluster.remove("secrets", "copied")


@pytest.mark.parametrize(("resource", "times"), [("configmaps", 0), ("configmaps", 1), ("secrets", 1), ("secrets", 2)])
def test_k_06_a_detector_looks_into_a_value_that_is_encoded_once_more(resource: str, times: int) -> None:
    value = b"ada@example.com"
    for _ in range(times):
        value = base64.b64encode(value)
    only = ObjectMasks((Mask("find", (), ("email",), Transform.REDACT, "email"),), b"k" * 32).of(Resource("", resource))
    out = json.loads(only.masked_object(json.dumps({"data": {"mail": value.decode(), "word": "settings"}}).encode()))
    told = out["data"]["mail"].encode()
    for _ in range(times):
        told = base64.b64decode(told, validate=True)
    assert (told, out["data"]["word"]) == (b"[masked:email]", "settings")


def test_k_06_an_error_does_not_repeat_what_was_sent(cluster: Cluster) -> None:
    bad = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "bad"}, "data": {"a": VALUE + "!"}}
    out = Through(cluster, SECRETS)("POST", SECRET, bad, content_type="application/json")
    assert json.loads(hidden(out))["code"] == 400


@pytest.mark.parametrize("differs", [
    f'\n@@ -13,7 +13,7 @@\n    "Env": [\n     {{\n-     "Value": "{VALUE}",\n+     "Value": "guess",\n',  # from 1.33 on
    f'\n  core.PodSpec{{\n  \tEnv: []core.EnvVar{{{{Name: "A",\n- \tValue: "{VALUE}",\n+ \tValue: "guess"}}}},\n',  # before
])  # fmt: skip
def test_k_06_a_change_that_is_forbidden_does_not_show_what_stands_there(differs: str) -> None:
    """A pod's variables may not be changed, and the API server says how the pod differs from what was asked for."""
    words = "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.tolerations`"
    told = {
        "kind": "Status",
        "message": f'Pod "web" is invalid: spec: {words}{differs}',
        "details": {"causes": [{"message": words + differs, "field": "spec"}]},
        "code": 422,
    }
    for document in (told, {"type": "ERROR", "object": told}):
        out = json.loads(hidden(MASKS.of(Resource("", "pods")).masked_object(json.dumps(document).encode())))
        assert out.get("object", out)["message"].endswith(f"{words}\n[masked:value]")


def test_k_06_config_maps_pod_environments_and_tokens_are_hidden_where_a_mask_names_them(cluster: Cluster) -> None:
    hidden(Through(cluster, Resource("", "configmaps"))("GET", "/api/v1/configmaps"))
    out = Through(cluster, Resource("", "pods"))("GET", "/api/v1/pods?watch=1&timeoutSeconds=0.2")
    assert b"[masked:secret]" in hidden(out)
    token = "/api/v1/namespaces/default/serviceaccounts/default/token"
    made = Through(cluster, Resource("", "serviceaccounts", "token"))(
        "POST", token, {}, content_type="application/json"
    )
    assert json.loads(made)["status"]["token"] == "[masked:secret]"


def test_k_06_a_table_of_another_group_cannot_print_what_is_hidden(cluster: Cluster) -> None:
    through = Through(cluster, Resource("shop.example", "vouchers"))
    target = "/apis/shop.example/v1/vouchers"
    out = json.loads(hidden(through("GET", target, accept=f"{TABLE},application/json")))
    assert out["kind"] == "VoucherList"
    assert out["items"][0]["spec"]["code"] == "[masked:code]"
    with pytest.raises(NotAcceptable):
        through("GET", target, accept=TABLE)


def test_k_06_a_hidden_value_that_is_written_back_is_seen(cluster: Cluster) -> None:
    assert writes_hidden(Through(cluster, SECRETS)("GET", f"{SECRET}/db"))
    assert not writes_hidden(json.dumps(cluster.stored("secrets", "db")).encode())


def test_k_12_a_list_goes_on_page_by_page_with_its_token_and_version(cluster: Cluster) -> None:
    cluster.add(
        *(
            {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": f"s-{number:04}"}, "stringData": {"a": VALUE}}
            for number in range(1100)
        )
    )
    through, target, names, versions = Through(cluster, SECRETS), f"{SECRET}?limit=500", [], set()
    more = ""
    while True:
        page = json.loads(hidden(through("GET", target + more)))
        names += [item["metadata"]["name"] for item in page["items"]]
        versions.add(page["metadata"]["resourceVersion"])
        if "continue" not in page["metadata"]:
            break
        more = f"&continue={page['metadata']['continue']}"
    assert len(names) == len(set(names)) == len(cluster.api.store.keys(BY_PATH["", "v1", "secrets"]))
    assert len(versions) == 1


def test_k_12_versions_and_uids_leave_as_they_are(cluster: Cluster) -> None:
    out = json.loads(hidden(Through(cluster, SECRETS)("GET", f"{SECRET}/db")))
    kept = cluster.stored("secrets", "db")["metadata"]
    assert (out["metadata"]["resourceVersion"], out["metadata"]["uid"]) == (kept["resourceVersion"], kept["uid"])
