"""Where a response sends its client: mapped, or not passed on."""

import pytest

from doorward_core.http.routes import Destination, Found
from doorward_http.redirects import Way

BELOW = Way(
    Destination.of("https://crm.internal:8443/api"), Found("crm", "gw.example/crm", "/a/b"), ("*.files.example",)
)
ROOT = Way(Destination.of("https://crm.internal"), Found("crm", "crm.example", "/a"))


@pytest.mark.parametrize(
    ("address", "mapped"),
    [
        ("https://crm.internal:8443/api/x?q=1#f", "/crm/x?q=1#f"),
        ("HTTPS://CRM.internal:8443/api/x", "/crm/x"),
        ("/api/x", "/crm/x"),
        ("/api", "/crm/"),
        ("c", "/crm/a/c"),
        ("../c", "/crm/c"),
        ("?page=2", "/crm/a/b?page=2"),
        ("../../../x", None),
        ("/internal", None),
        ("/apix", None),
        ("/api/../x", None),
        ("https://crm.internal:8443/api/../x", None),
        ("https://crm.internal:8443/api/%2e%2e/x", None),
        ("/api/a%20b", "/crm/a%20b"),
        ("https://crm.internal/api/x", None),
        ("https://eu.files.example/x", "https://eu.files.example/x"),
        ("https://files.example/x", None),
        ("https://eu.files.example.evil/x", None),
        ("https://user@crm.internal:8443/api/x", None),
        ("//crm.internal:8443/api/x", "/crm/x"),
        ("//evil.example", None),
        ("/\\evil.example", None),
        ("https:\\\\evil.example", None),
        ("java\tscript:x", None),
        ("", None),
        ("https://[::1", None),
        ("x" * 9000, None),
    ],
)
def test_an_address_is_mapped_or_kept_back(address, mapped):
    assert BELOW.address(address) == mapped


@pytest.mark.parametrize(
    ("address", "mapped"), [("/x", "/x"), ("https://crm.internal//evil.example", None), ("https://crm.internal", "/")]
)
def test_a_place_that_is_a_whole_host_begins_at_the_root(address, mapped):
    assert ROOT.address(address) == mapped


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ('</api/x>; rel="next", </api/y>; rel="last"', '</crm/x>; rel="next", </crm/y>; rel="last"'),
        ('<https://evil.example/>; rel="next"', None),
        ('<https://evil.example/>; rel="next", </api/y>; rel="last"', '</crm/y>; rel="last"'),
        ('</api/x>; title="a, <b"; rel="next"', None),
        ("nothing", None),
    ],
)
def test_links_that_lead_elsewhere_are_left_out(value, kept):
    assert BELOW.link(value) == kept
