"""The keys about the log: its archive and how long content lives."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from doorward_core.config_record import ArchiveSettings, RecordSettings, RetentionSettings
from doorward_core.config_types import FOLDER

CREDENTIALS = {"id": {"env": "ID"}, "key": {"env": "KEY"}}
AGE = "age1" + "q" * 58


def archive(**given):
    return ArchiveSettings.model_validate(given, context={FOLDER: Path("/etc/doorward")})


def record(**given):
    return RecordSettings.model_validate({"folder": "log", "keys": "keys", **given}, context={FOLDER: Path("/srv")})


def test_a_folder_is_taken_from_the_folder_of_the_file():
    found = archive(to="../archive")
    assert found.to == Path("/etc/doorward/../archive")
    assert (found.retention, found.lag, found.mode, found.free_local) == (400 * 86400, 3600, "compliance", None)


def test_a_store_has_a_bucket_a_prefix_and_credentials():
    found = archive(to="s3://acme-archive/gateways/pg/", credentials=CREDENTIALS, free_local="30d")
    assert found.to == "s3://acme-archive/gateways/pg"
    assert found.free_local == 30 * 86400


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"to": "s3://acme-archive/pg"}, "needs `credentials"),
        ({"to": "s3://A/../b", "credentials": CREDENTIALS}, "s3://bucket/prefix"),
        ({"to": "ftp://there"}, "expected a folder"),
        ({"to": "", "lag": "1h"}, "expected a folder"),
        ({"to": "there", "credentials": CREDENTIALS}, "no meaning for a folder"),
        ({"to": "there", "lag": "60s"}, "at most half of `lag`"),
        ({"to": "there", "free_local": True}, "expected `false`"),
        ({"to": "there", "mode": "none"}, "compliance"),
        ({"to": "s3://acme-archive", "credentials": CREDENTIALS, "endpoint": "http://there"}, "https"),
        ({"to": "s3://acme-archive", "credentials": CREDENTIALS, "endpoint": "https://a:b@there"}, "https"),
    ],
)
def test_what_would_not_work_is_refused(given, words):
    with pytest.raises(ValidationError, match=words):
        archive(**given)


def test_the_archive_lies_outside_the_log():
    with pytest.raises(ValidationError, match="must lie outside"):
        record(archive={"to": "log/archive"})
    assert record(archive={"to": "archive"}).archive is not None


def test_retention_needs_keys_to_erase():
    with pytest.raises(ValidationError, match="without `recipients` there are none"):
        record(retention={"content": "30d"})
    found = record(
        recipients=(AGE,), retention={"content": "400d", "rules": ({"labels": {"a": "b"}, "content": "30d"},)}
    )
    assert found.retention.asked
    assert not RetentionSettings().asked


@pytest.mark.parametrize("rule", [{"content": "30d"}, {"resource": "x", "labels": {"a": "b"}, "content": "30d"}])
def test_a_rule_says_whose_content_is_meant_in_one_way(rule):
    with pytest.raises(ValidationError, match="either `resource` or `labels`"):
        RetentionSettings.model_validate({"rules": (rule,)})
