import pytest

from doorward_core.identity import address


@pytest.mark.parametrize(
    "url",
    [
        "https://idp.example",
        "https://idp.example:8443/realms/a?x=1",
        "http://127.0.0.1:9000",
        "http://127.9.9.9",
        "http://[::1]:9000/x",
        "http://localhost:9000",
        "HTTPS://idp.example",
    ],
)
def test_https_and_loopback_may_be_fetched(url):
    assert address.url_problem(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "idp.example",
        "//idp.example",
        "http://idp.example",
        "http://10.0.0.1",
        "http://localhost.idp.example",
        "http://127.0.0.1.idp.example",
        "http://[::ffff:10.0.0.1]",
        "http://2130706433",
        "file:///etc/passwd",
        "ftp://127.0.0.1",
        "https://",
        "https:///path",
        "https://user@idp.example",
        "https://user:pass@127.0.0.1",
        "http://127.0.0.1@idp.example",
        "https://idp.example#f",
        "https://idp.example\\@127.0.0.1",
        "https://idp.example/a b",
        "https://idp.example/\n",
        "https://idp.example:99999",
        "https://[::1",
        "https://idp.exämple",
        "https://idp.example/" + "x" * 2048,
    ],
)
def test_everything_else_may_not(url):
    assert address.url_problem(url)


def test_an_issuer_has_no_query():
    assert address.issuer_problem("https://idp.example/realms/a") == ""
    assert address.issuer_problem("https://idp.example/?a=b") == "has a query"
    assert address.issuer_problem("http://idp.example") == "is not https"


@pytest.mark.parametrize("issuer", ["https://idp.example/realms/a", "https://idp.example/realms/a/"])
def test_the_configuration_document_lies_below_the_issuer(issuer):
    assert address.discovery_url(issuer) == "https://idp.example/realms/a/.well-known/openid-configuration"
