"""Which logs are meant, and where their index lies."""

from pathlib import Path

import pyrage
import pytest
import trio
from typer import Exit

from doorward_console.settings import load_settings
from doorward_console.sources import desk_identities, desk_sources, index_path, sources_of
from doorward_core.errors import RecordError, UpstreamUnavailable

SETTINGS = """\
version: 1
url: https://desk.example
listen: {{unix: desk.sock}}
login: {{issuer: "https://id.example", client_id: desk}}
roles: {{auditor: [auditors]}}
gateways:
  shop: {{control: "unix:control.sock", log: shop/log, keys: shop/keys/payload}}
  far: {{control: "https://far.example:9465"}}
record: {{folder: desk/log, keys: desk/keys, origin: desk.example}}
identity: {{file: auditor.key}}
{more}"""


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "auditor.key").write_text(str(pyrage.x25519.Identity.generate()))
    (tmp_path / "desk.yaml").write_text(SETTINGS.format(more=""))
    return tmp_path / "desk.yaml"


def test_a_desk_has_the_logs_of_its_gateways_and_its_own(settings, tmp_path):
    shop, own = sources_of(None, settings, None, None)
    assert (shop.name, shop.folder, shop.keys_folder) == ("shop", tmp_path / "shop/log", tmp_path / "shop/keys/payload")
    assert (own.name, own.folder, own.keys_folder) == ("desk", tmp_path / "desk/log", tmp_path / "desk/keys/payload")
    assert len(shop.identities) == 1


def test_a_key_that_cannot_be_had_or_read_is_told_of(settings, tmp_path):
    (tmp_path / "auditor.key").write_text("no key")
    with pytest.raises(RecordError):
        sources_of(None, settings, None, None)
    (tmp_path / "auditor.key").unlink()
    with pytest.raises(UpstreamUnavailable):
        trio.run(desk_identities, load_settings(settings))
    settings.write_text(SETTINGS.format(more="").replace("identity: {file: auditor.key}\n", ""))
    loaded = load_settings(settings)
    assert trio.run(desk_identities, loaded) == ()
    assert all(source.identities == () for source in desk_sources(loaded, ()))


def test_a_log_that_is_named_has_its_keys_beside_it(settings, tmp_path):
    (one,) = sources_of([tmp_path / "gw" / "log"], None, tmp_path / "auditor.key", None)
    assert (one.keys_folder, len(one.identities)) == (tmp_path / "gw" / "keys" / "payload", 1)
    (two,) = sources_of([tmp_path / "gw" / "log"], None, None, Path("/elsewhere"))
    assert (two.keys_folder, two.identities) == (Path("/elsewhere"), ())


def test_the_index_lies_where_it_is_said_to_else_beside_the_one_log(settings, tmp_path):
    one = sources_of([tmp_path / "gw" / "log"], None, None, None)
    assert index_path(Path("x"), None, one) == Path("x")
    assert index_path(None, None, one) == tmp_path / "gw" / "index.sqlite"
    both = sources_of(None, settings, None, None)
    with pytest.raises(Exit):
        index_path(None, settings, both)
    settings.write_text(SETTINGS.format(more="index: state/index.sqlite\n"))
    assert index_path(None, settings, both) == tmp_path / "state" / "index.sqlite"


def test_no_log_at_all_is_said(capsys):
    with pytest.raises(Exit):
        sources_of(None, None, None, None)
    assert "which log?" in capsys.readouterr().err
