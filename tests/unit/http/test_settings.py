"""The `target` block of an HTTP resource: what it takes, and what it says where it does not."""

import json

import pytest

from doorward_core.config_types import validate
from doorward_core.config_yaml import read_document
from doorward_http.settings import HttpTarget

GOOD = {"at": ["/crm"], "url": "https://crm.internal/api", "send": "bearer"}


def read(**keys):
    given = {key: value for key, value in {**GOOD, **keys}.items() if value is not None}
    return validate(HttpTarget, read_document(json.dumps(given), "gateway.yaml"))


def test_a_target_has_careful_defaults():
    target, problems = read()
    assert problems == []
    assert (target.hold, target.decided_bytes, target.cookies, target.overrides) == (25.0, 1 << 20, False, "refuse")
    assert target.identity_header
    assert not target.unprotected


@pytest.mark.parametrize(
    ("at", "kept"),
    [
        ("crm.gateway.example", "crm.gateway.example"),
        ("CRM.gateway.example:8443", "crm.gateway.example:8443"),
        ("/crm", "/crm"),
        ("/crm/", "/crm"),
        ("/crm%61", "/crma"),
        ("crm.gateway.example/v2", "crm.gateway.example/v2"),
    ],
)
def test_a_place_is_a_host_a_path_or_both(at, kept):
    target, problems = read(at=[at])
    assert problems == []
    assert target.at == (kept,)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"at": ["/"]}, "leaves room for nothing else"),
        ({"at": ["/a/../b"]}, "expected a host"),
        ({"at": ["/.well-known/doorward"]}, "the gateway's own"),
        ({"at": ["user@host"]}, "expected a host"),
        ({"at": []}, "at"),
        ({"url": "ftp://crm"}, "expected an address"),
        ({"url": "crm.internal"}, "expected an address"),
        ({"url": "https://user:secret@crm.internal"}, "never written here"),
        ({"url": "https://crm.internal/?a=b"}, "no query"),
        ({"url": "https://crm.internal/a/../b"}, "cannot be used"),
        ({"url": "https://crm.internal:0/"}, "expected an address"),
        ({"url": "http://crm.internal", "tls": {"server_name": "x"}}, "no meaning"),
        ({"tls": {"certificate": __file__}}, "go together"),
        ({"send": "berer"}, "bearer"),
        ({"send": {"bearer": True, "basic": True}}, "exactly one"),
        ({"send": {"header": {"name": "Content-Length"}}}, "name of a header"),
        ({"send": None}, "send"),
        ({"actions": {"read": ["search"]}}, "methods in capitals"),
        ({"actions": {"read": ["!GET /x"]}}, "no place here"),
        ({"redirects": ["https://files.example"]}, "hosts in small letters"),
        ({"overrides": "allow"}, "overrides"),
        ({"decided_bytes": "64MiB"}, "decided_bytes"),
    ],
)
def test_what_cannot_be_meant_is_said(keys, words):
    _, problems = read(**keys)
    assert problems
    told = " ".join(problem.render("gateway.yaml") for problem in problems)
    assert words in told
    assert "secret" not in told


@pytest.mark.parametrize(
    ("url", "bare"), [("http://crm.internal", True), ("http://127.0.0.1:80", False), ("https://crm.internal", False)]
)
def test_a_leg_without_tls_is_told(url, bare):
    target, _ = read(url=url)
    assert target.unprotected is bare
