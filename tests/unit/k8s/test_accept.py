"""What the API server is asked for where a mask is owed."""

import pytest

from doorward_core.http.messages import Headers, get
from doorward_k8s.accept import NotAcceptable, prepare_accept

TABLE = b"application/json;as=Table;v=v1;g=meta.k8s.io"


def asked(accept: bytes | None, *, tables: bool = True) -> bytes | None:
    headers: Headers = () if accept is None else ((b"accept", accept),)
    return get(prepare_accept(headers, "GET", tables=tables).headers, b"accept")


@pytest.mark.parametrize(
    ("accept", "passed_on"),
    [
        (None, b"application/json"),
        (b"", b"application/json"),
        (b"*/*", b"application/json"),
        (b"application/json", b"application/json"),
        (TABLE + b",application/json", TABLE + b",application/json"),
        (b"application/vnd.kubernetes.protobuf,application/json", b"application/json"),
        (b"application/vnd.kubernetes.protobuf, */*", b"application/json"),
        (b"application/cbor, application/json;q=0.5", b"application/json"),
        (b"application/cbor-seq, application/json;stream=watch", b"application/json;stream=watch"),
        (b"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", None),
        (b"application/yaml", b"application/json"),
        (b"application/json;q=0.1, application/yaml;q=0.9", b"application/json"),
    ],
)
def test_only_json_is_asked_for(accept: bytes | None, passed_on: bytes | None) -> None:
    assert asked(accept) == (accept if passed_on is None else passed_on)


def test_a_table_that_could_show_what_is_masked_is_not_asked_for() -> None:
    assert asked(TABLE + b",application/json", tables=False) == b"application/json"


@pytest.mark.parametrize(
    "accept",
    [
        b"application/vnd.kubernetes.protobuf",
        b"application/cbor",
        b"application/json;q=0",
        b"application/json;as=Unknown",
        b"text/html",
        b"application/json;q=x",
        b"application/json," * 40,
    ],
)
def test_k_06_what_cannot_be_masked_is_not_acceptable(accept: bytes) -> None:
    with pytest.raises(NotAcceptable):
        asked(accept)


def test_a_table_alone_is_not_acceptable_where_no_table_can_be() -> None:
    with pytest.raises(NotAcceptable):
        asked(TABLE, tables=False)


def test_yaml_is_told_where_it_is_what_the_client_likes_best() -> None:
    def yaml(accept: bytes) -> bool:
        return prepare_accept(((b"accept", accept),), "GET", tables=True).yaml

    assert yaml(b"application/yaml")
    assert yaml(b"application/json;q=0.5, application/yaml")
    assert not yaml(b"application/json, application/yaml")
    assert not yaml(b"*/*, application/yaml;q=0.1")


def test_conditions_ranges_and_codings_that_cannot_be_undone_are_not_passed_on() -> None:
    headers = (
        (b"accept-encoding", b"gzip, lzma"),
        (b"range", b"bytes=0-9"),
        (b"if-none-match", b'"x"'),
        (b"user-agent", b"kubectl"),
    )
    found = prepare_accept(headers, "GET", tables=True).headers
    assert set(found) == {(b"user-agent", b"kubectl"), (b"accept", b"application/json"), (b"accept-encoding", b"gzip")}
    kept = prepare_accept(((b"if-match", b'"x"'),), "PUT", tables=True).headers
    assert (b"if-match", b'"x"') in kept


def test_a_log_is_asked_for_as_the_client_asks() -> None:
    found = prepare_accept(((b"accept", b"application/json, */*"),), "GET", tables=True, objects=False)
    assert get(found.headers, b"accept") == b"application/json, */*"
    assert not found.yaml


@pytest.mark.parametrize(
    "accept",
    [
        b"application/json;as =Table;v=v1;g=meta.k8s.io",
        b"application/json;as=\tTable;v=v1;g=meta.k8s.io",
        b"application/json;x=1;AS =Table",
        b"application/json;as=PartialObjectMetadata;as=Table;v=v1;g=meta.k8s.io",
        b"application/json;as*=utf-8''Table",
        b"application/json;q =0",
    ],
)
def test_a_table_is_seen_however_it_is_spelt(accept: bytes) -> None:
    with pytest.raises(NotAcceptable):
        asked(accept, tables=False)
