import pyrage
import pytest
from evidence_stand import Stand

from doorward_console.evidence.opening import Opener, body_of
from doorward_core.errors import RecordError


@pytest.fixture
def identity():
    return pyrage.x25519.Identity.generate()


@pytest.fixture
def sealed(tmp_path, identity):
    stand = Stand(tmp_path / "s", recipients=(str(identity.to_public()),))
    stand.policy("sealed text")
    stand.session(1, "anna")
    return stand.close()


def test_sealed_contents_are_opened_for_whom_they_are_and_for_nobody_else(sealed, identity):
    source = sealed.source()
    item = source.parsed(1)
    assert Opener(source.keys_folder).open(item, item.payload) == ("sealed", None)
    content, opened = Opener(source.keys_folder, (identity,)).open(item, item.payload)
    assert content == "revealed"
    assert body_of(1, opened)["texts"]["policy.yaml"] == "sealed text"
    with pytest.raises(RecordError, match="not for this identity"):
        Opener(source.keys_folder, (pyrage.x25519.Identity.generate(),)).open(item, item.payload)


def test_contents_whose_key_is_gone_are_counted(sealed, identity):
    source = sealed.source()
    item = source.parsed(2)
    for path in source.keys_folder.glob(f"{item.session.hex()}.*"):
        path.unlink()
    opener = Opener(source.keys_folder, (identity,))
    assert (opener.open(item, item.payload), opener.gone) == (("sealed", None), {item.session: 1})


def test_an_altered_seal_is_named(sealed, identity):
    source = sealed.source()
    item = source.parsed(1)
    altered = bytes([item.payload[0] ^ 1]) + item.payload[1:]
    with pytest.raises(RecordError, match="entry 1"):
        Opener(source.keys_folder, (identity,)).open(item, altered)


def test_contents_in_the_clear_and_none_at_all(told):
    source = told.source()
    nothing, clear = source.parsed(0), source.parsed(1)
    opener = Opener(None)
    assert opener.open(nothing, b"") == ("none", None)
    assert opener.open(clear, clear.payload)[0] == "clear"
    assert body_of(0, None) is None
    with pytest.raises(RecordError, match="entry 9"):
        body_of(9, (b"", b"\xc1"))
