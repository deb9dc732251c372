"""A revealed content checks against its entry alone, and nothing else does."""

import base64
import dataclasses

import pytest

from doorward_core.errors import RecordError
from doorward_core.record import reveal
from doorward_core.record.entry import EntryError
from doorward_core.record.reader import LogReader


@pytest.fixture
def log(workshop):
    engine = workshop.open()
    workshop.add(engine, 2, payload={"text": "SELECT 1"})
    workshop.add(engine, 1, payload={"data": bytes(120_000)})
    engine.close(workshop.now)
    return LogReader(workshop.folder)


def test_it_is_what_the_entry_commits_to(log):
    found = reveal.read(reveal.write(log.reveal(1)))
    assert reveal.check(found, log.entry(1)) == {"text": "SELECT 1"}


def test_an_event_in_parts_is_revealed_whole(log):
    assert reveal.check(log.reveal(3), log.entry(3)) == {"data": bytes(120_000)}
    with pytest.raises(RecordError, match="no event begins here"):
        log.reveal(4)


def test_another_entry_with_the_same_content_is_another(log):
    with pytest.raises(EntryError, match="this is another"):
        reveal.check(log.reveal(1), log.entry(2))
    moved = dataclasses.replace(log.reveal(1), index=2)
    with pytest.raises(EntryError, match="not what this entry commits to"):
        reveal.check(moved, log.entry(2))


def test_a_changed_body_or_salt_does_not_check(log):
    found = log.reveal(1)
    for changed in (
        dataclasses.replace(found, body=found.body[:-1] + b"2"),
        dataclasses.replace(found, salt=bytes(32)),
    ):
        with pytest.raises(EntryError, match="not what this entry commits to"):
            reveal.check(changed, log.entry(1))


def test_what_has_no_content_or_is_not_there_says_so(log):
    with pytest.raises(RecordError, match="no content"):
        log.reveal(0)
    with pytest.raises(RecordError, match="no event begins here"):
        log.reveal(10**6)


@pytest.mark.parametrize("change", [b"v2", b"\n\n", b" ", b"x" * 9])
def test_a_text_has_one_spelling(log, change):
    text = reveal.write(log.reveal(1))
    for broken in (text + change, change + text, text.replace(b"v1", change), base64.b64encode(text)):
        with pytest.raises(EntryError, match="no revealed content"):
            reveal.read(broken)
