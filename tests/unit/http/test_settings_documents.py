"""What docs/http.md shows is what the gateway takes."""

import re
from pathlib import Path

import pytest

from doorward_core.config import load_config
from doorward_http.settings import HttpTarget

DOCUMENT = (Path(__file__).parents[3] / "docs/http.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


AROUND = """\
version: 1
origin: gateway.example
listen: [{unix: http.sock}]
approvals: {store: approvals.sqlite, listen: {unix: approvals.sock}}
identity: {issuers: [{issuer: "https://idp.example", audience: [doorward]}]}
record: {folder: log, keys: keys}
policy: policy.yaml
"""


@pytest.mark.parametrize("text", BLOCKS)
def test_every_configuration_shown_loads(tmp_path, text):
    for name in ("tls.crt", "tls.key", "policy.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "doorward.yaml").write_text(text if "\nversion: 1" in text else AROUND + text)
    config = load_config(tmp_path / "doorward.yaml", {"http": HttpTarget})
    assert isinstance(config.resources["crm"].target, HttpTarget)


@pytest.mark.parametrize("name", sorted(HttpTarget.model_fields))
def test_every_key_of_a_target_is_described(name):
    assert re.search(rf"^\| `{name}` \|", DOCUMENT, re.MULTILINE)


def test_there_is_something_to_load():
    assert len(BLOCKS) > 1
