"""What is owed, compiled from masks."""

import pytest

from doorward_core.mask.json_paths import PathError
from doorward_core.model import Mask, Transform
from doorward_http.owed import Owed, count

KEY = b"k" * 32


def owed(*columns: str, detect: tuple[str, ...] = (), transform: Transform = Transform.REDACT) -> Owed:
    return Owed((Mask("r", columns, detect, transform, "pii"),), KEY)


def test_paths_and_detectors_are_owed_on_bodies_and_header_names_are_not() -> None:
    assert owed("$..email")
    assert owed(detect=("email",))
    assert not owed("header.x-email")
    assert not owed("public.customer.email")


def test_headers_are_named_by_glob_without_case() -> None:
    owing = owed("header.X-Customer-*")
    assert owing.header(b"x-customer-email") is not None
    assert owing.header(b"x-customer") is None


def test_the_strictest_mask_of_a_header_is_in_force() -> None:
    masks = tuple(Mask("r", ("header.x",), (), each, "pii") for each in (Transform.PARTIAL, Transform.NULL))
    found = Owed(masks, KEY).header(b"x")
    assert found is not None
    assert found.transform is Transform.NULL


def test_what_names_nothing_in_http_is_told() -> None:
    assert owed("$.a", "header.b", "*.iban").foreign() == (("r", "*.iban"),)


def test_a_path_that_is_none_is_refused() -> None:
    with pytest.raises(PathError):
        owed("$.a[0]")


def test_bodies_share_nothing() -> None:
    owing = owed("$..email")
    first, second = owing.json(), owing.json()
    first.feed(b'{"email":"x')
    assert second.feed(b'{"email":1}') == b'{"email":0}'


def test_counts_add_up() -> None:
    masked: dict[str, int] = {}
    count(masked, "a")
    count(masked, "a")
    assert masked == {"a": 2}
