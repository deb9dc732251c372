"""From a call to an operation: atoms by the API's rules, text for people, a digest over everything that matters."""

import json

import pytest

from doorward_core.http.messages import Head
from doorward_core.http.paths import canonical
from doorward_core.model import Action
from doorward_k8s.calls import read_call
from doorward_k8s.documents import Unreadable
from doorward_k8s.operations import Request, read

POD = "/api/v1/namespaces/shop/pods/web-0"
DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/web"


def reading(method, target, body=b"", media="application/json", *, cluster="api", account="gateway"):
    found = canonical(target.encode())
    head = Head(method, target.encode(), "gw", "https", ())
    request = Request(head, found, read_call(method, found.path, found.query), body, media if body else "")
    return read(request, identifier=b"i" * 16, seq=0, account=account, cluster=cluster, show=lambda body, media: body)


def atoms(found):
    return [
        (str(atom.action), atom.target.kind, atom.target.name, atom.target.detail) for atom in found.operation.atoms
    ]


def test_a_read_is_pure_and_names_its_object():
    found = reading("GET", POD)
    assert atoms(found) == [("read", "object", "shop/core/pods/web-0", "get")]
    assert (found.operation.pure, found.operation.verb, found.operation.retry) == (True, "get", False)
    assert found.operation.attributes["class"] == "read"


def test_a_creation_is_named_by_its_body():
    found = reading("POST", "/api/v1/namespaces/shop/configmaps", b'{"metadata":{"name":"a"}}')
    assert atoms(found) == [("write", "object", "shop/core/configmaps/a", "create")]
    found = reading("POST", "/api/v1/namespaces/shop/configmaps", b'{"metadata":{"generateName":"a"}}')
    assert atoms(found)[0][2] == "shop/core/configmaps/"


def test_people_read_the_place_and_the_change():
    found = reading("PATCH", DEPLOYMENT, b'{"spec":{"replicas":7}}', "application/merge-patch+json")
    assert found.operation.text.startswith(f"patch shop/apps/deployments/web\nPATCH {DEPLOYMENT}\n\n")
    assert '"replicas": 7' in found.operation.text
    assert not found.operation.pure


def test_a_body_that_cannot_be_read_is_unknown_besides():
    found = reading("POST", "/api/v1/namespaces/shop/pods", b"k8s\0", "application/vnd.kubernetes.protobuf")
    assert atoms(found)[0] == ("unknown", "object", "shop/core/pods/", "create")
    assert "send JSON" in found.operation.attributes["problem"]
    assert "SHA-256" in found.operation.text


def test_an_exec_has_the_atoms_of_what_it_runs():
    found = reading("GET", f"{POD}/exec?command=ls&command=-l&container=app&stdin=true")
    assert atoms(found) == [
        ("execute", "object", "shop/core/pods/exec/web-0", "connect"),
        ("execute", "command", "ls", "-l"),
    ]
    assert (found.operation.verb, found.operation.unseen, found.operation.pure) == ("exec", ("stdin",), False)
    assert 'runs in container app with stdin: ls "-l"' in found.operation.text


def test_a_shell_is_one_operation_whose_input_is_not_seen():
    found = reading("GET", f"{POD}/exec?command=sh&stdin=true&tty=true")
    assert ("unknown", "object", "shop/core/pods/exec/web-0", "connect") in atoms(found)
    assert found.operation.unseen == ("stdin",)


def test_a_copy_is_a_transfer_with_its_paths():
    found = reading("GET", f"{POD}/exec?command=tar&command=cf&command=-&command=/etc/passwd")
    assert ("read", "path", "/etc/passwd", "") in atoms(found)
    assert (found.operation.action, found.transfer.direction) == (Action.TRANSFER, "read")


def test_a_forward_and_an_attach_declare_what_is_not_seen():
    assert reading("GET", f"{POD}/portforward").operation.unseen == ("tunnel",)
    assert reading("GET", f"{POD}/attach?stdin=true").operation.unseen == ("stdin",)
    assert reading("GET", f"{POD}/proxy/x").operation.unseen == ("tunnel",)


@pytest.mark.parametrize(
    "other",
    [
        {"target": f"{DEPLOYMENT}?dryRun=All"},
        {"target": f"{DEPLOYMENT}2"},
        {"method": "PUT"},
        {"body": b'{"spec":{"replicas":8}}'},
        {"media": "application/strategic-merge-patch+json"},
        {"cluster": "other"},
        {"account": "other"},
    ],
)
def test_whatever_changes_the_meaning_changes_the_digest(other):
    asked = {"method": "PATCH", "target": DEPLOYMENT, "body": b'{"spec":{"replicas":7}}', "media": "application/merge-patch+json"}  # fmt: skip
    assert reading(**asked).operation.digest != reading(**{**asked, **other}).operation.digest


def test_a_stream_is_the_same_whichever_method_it_begins_with():
    target = f"{POD}/exec?command=ls"
    assert reading("GET", target).operation.digest == reading("POST", target).operation.digest


def test_a_dry_run_is_told_and_one_that_is_said_in_two_ways_is_refused():
    found = reading("DELETE", f"{POD}?dryRun=All")
    assert found.operation.facts["dry-run"] == ("all",)
    assert reading("DELETE", POD).operation.facts["dry-run"] == ("no",)
    body = json.dumps({"dryRun": ["All"]}).encode()
    with pytest.raises(Unreadable):
        reading("DELETE", f"{POD}?dryRun=All", b"{}")
    for target in (POD, f"{POD}?dryRun=All"):
        assert reading("DELETE", target, body).operation.facts["dry-run"] == ("all",)
    assert reading("DELETE", POD, b"{}").operation.facts["dry-run"] == ("no",)


@pytest.mark.parametrize(
    "target", [f"{POD}/exec?command=ls&", f"{POD}/proxy/x?", "/api/v1/namespaces/a/serviceaccounts/b/token?"]
)
def test_what_has_its_effect_all_the_same_is_no_dry_run(target):
    assert reading("POST", f"{target}dryRun=All").operation.facts["dry-run"] == ("no",)


def test_a_name_that_no_object_can_have_names_none():
    for name in ("a" * 300, "a/b", "a b", ".."):
        body = json.dumps({"metadata": {"name": name}}).encode()
        assert atoms(reading("POST", "/api/v1/namespaces/shop/configmaps", body))[0][2] == "shop/core/configmaps/"


def test_facts_say_what_else_a_rule_may_look_at():
    found = reading("POST", "/api/v1/namespaces/shop/pods", b'{"metadata":{"name":"a"},"spec":{"hostNetwork":true}}')
    facts = found.operation.facts
    assert (facts["verb"], facts["class"], facts["power.hostNetwork"]) == (("create",), ("privilege",), ("true",))
    assert found.operation.text.startswith("create shop/core/pods/a (hostNetwork)")


def test_a_long_body_is_cut_for_people_and_says_so():
    found = reading("PUT", DEPLOYMENT, json.dumps({"a": "x" * 60_000}).encode())
    assert "SHA-256" in found.operation.text
    assert len(found.operation.text) < 33_000
