"""Where targets are offered and where they are: one spelling, and faults in plain words."""

import pytest
from pydantic import TypeAdapter, ValidationError

from doorward_core.http.places import BodyTimeouts, Place, TargetTls, Timeouts, Url, unprotected

PLACE, URL = TypeAdapter(Place), TypeAdapter(Url)


@pytest.mark.parametrize(
    ("written", "read"), [("/crm", "/crm"), ("CRM.example/x/", "crm.example/x"), ("crm.example", "crm.example")]
)
def test_a_place_has_one_spelling(written, read):
    assert PLACE.validate_python(written) == read


@pytest.mark.parametrize("written", ["/", "", "/a//b", "/a/../b", "/.well-known/doorward/x", "a b", "é"])
def test_what_is_no_place_is_refused(written):
    with pytest.raises(ValidationError):
        PLACE.validate_python(written)


@pytest.mark.parametrize("written", ["crm", "ftp://x", "https://u:p@x", "https://x/?q", "https://x:0", "https://x#f"])
def test_what_is_no_address_is_refused(written):
    with pytest.raises(ValidationError):
        URL.validate_python(written)


def test_a_certificate_and_its_key_go_together(tmp_path):
    (tmp_path / "c").write_text("")
    with pytest.raises(ValidationError, match="go together"):
        TargetTls.model_validate({"certificate": "c"}, context={"folder": tmp_path})
    assert Timeouts().connect == BodyTimeouts().connect == 10.0
    assert BodyTimeouts().stall == 300.0


def test_only_a_leg_on_this_machine_needs_no_tls():
    assert unprotected("http://crm.internal")
    assert not unprotected("http://127.0.0.1:1")
    assert not unprotected("https://crm.internal")
