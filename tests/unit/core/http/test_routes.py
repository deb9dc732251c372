"""Which resource a request is for, and where that is."""

import pytest

from doorward_core.http.paths import canonical
from doorward_core.http.routes import Destination, Found, Routes

ROUTES = Routes(
    {"crm": ["/crm", "crm.example"], "new": ["/crm/v2"], "files": ["files.example/api"], "odd": ["crm.example:8443"]}
)


@pytest.mark.parametrize(
    ("authority", "path", "resource", "below"),
    [
        ("gateway.example", "/crm/customers", "crm", "/customers"),
        ("gateway.example", "/crm", "crm", "/"),
        ("gateway.example", "/crm/v2/x", "new", "/x"),
        ("gateway.example", "/crm/v22", "crm", "/v22"),
        ("gateway.example", "/crmx", None, ""),
        ("crm.example", "/customers", "crm", "/customers"),
        ("crm.example", "/crm/v2/x", "crm", "/crm/v2/x"),
        ("crm.example:8443", "/customers", "odd", "/customers"),
        ("crm.example:9999", "/customers", "crm", "/customers"),
        ("files.example", "/api/1", "files", "/1"),
        ("files.example", "/other", None, ""),
        ("files.example", "/crm/x", "crm", "/x"),
        ("[::1]", "/crm/x", "crm", "/x"),
    ],
)
def test_a_named_host_goes_first_and_then_the_longest_path(authority, path, resource, below):
    found = ROUTES.find(authority, path)
    assert (found and found.resource, found.path if found else "") == (resource, below)


def test_a_place_that_two_claim_is_told():
    assert Routes({"a": ["/x"], "b": ["/x", "/y"]}).conflicts() == ("/x is claimed by a and by b",)
    assert ROUTES.conflicts() == ()


@pytest.mark.parametrize(
    ("url", "asked", "sent", "authority"),
    [
        ("https://crm.internal/api", "/crm/customers?a=1", b"/api/customers?a=1", "crm.internal"),
        ("https://crm.internal:443/", "/crm", b"/", "crm.internal"),
        ("http://CRM.internal:8080", "/crm/x/", b"/x/", "crm.internal:8080"),
    ],
)
def test_a_request_goes_below_the_targets_own_path(url, asked, sent, authority):
    target = canonical(asked.encode())
    found = ROUTES.find("gateway.example", target.path)
    there = Destination.of(url)
    assert (there.target(found, target), there.authority) == (sent, authority)


def test_a_destination_knows_its_port():
    assert (Destination.of("https://a").port, Destination.of("http://a").port) == (443, 80)
    assert Found("r", "/p", "/").path == "/"
