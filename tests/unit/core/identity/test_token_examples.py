"""The examples in docs/identity.md are configurations that the gateway takes."""

import re
import textwrap
from pathlib import Path

import pytest

from doorward_core.config_identity import IdentitySettings
from doorward_core.config_types import validate
from doorward_core.config_yaml import read_document
from doorward_core.identity.token import IssuerSettings

PAGE = Path(__file__).parents[4] / "docs/identity.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def issuers_of(text: str) -> str:
    """Give the block below `identity:`, whether the example shows a whole block or one entry."""
    if text.startswith("identity:"):
        return textwrap.dedent(text.partition("\n")[2])
    return "issuers:\n" + textwrap.indent(text, "  ")


def test_there_are_examples():
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_becomes_settings(text, tmp_path):
    found, problems = validate(IdentitySettings, read_document(issuers_of(text), "example"), folder=tmp_path)
    assert problems == []
    (issuer,) = found.issuers
    settings = IssuerSettings(**issuer.settings())
    assert settings.issuer == issuer.issuer
    assert settings.audiences == set(issuer.audience)
