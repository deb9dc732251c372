"""The target's catalogue, asked for as a gateway would ask."""

from dataclasses import dataclass

import pytest

from doorward_console.catalogue import NoCatalogue, read_catalogue
from doorward_core.config import load_config


@dataclass
class Elsewhere:
    """A resource that no catalogue lies behind."""

    protocol: str
    target: object


def test_a_target_that_is_not_there_is_said(config):
    settings = load_config(config)
    with pytest.raises(NoCatalogue, match="cannot be read"):
        read_catalogue(settings.resources["shop"], config.parent)


def test_a_protocol_without_a_catalogue_is_said(tmp_path):
    with pytest.raises(NoCatalogue, match="ssh"):
        read_catalogue(Elsewhere("ssh", {}), tmp_path)


def test_a_secret_that_cannot_be_had_is_said(config):
    settings = load_config(config)
    (config.parent / "password").unlink()
    with pytest.raises(NoCatalogue, match="secret"):
        read_catalogue(settings.resources["shop"], config.parent)


@pytest.mark.need_embedded_postgres
def test_a_real_catalogue_is_read(live_config):
    catalog = read_catalogue(load_config(live_config).resources["shop"], live_config.parent)
    assert catalog.relation("public", "customer") is not None
    assert catalog.database == "shop"
