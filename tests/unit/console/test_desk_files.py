"""What `doorward desk --check` finds in the files that settings name: faults, and what is not there yet."""

import pytest

from doorward_console import desk_files
from doorward_console.settings import load_settings

GOOD = """\
version: 1
url: https://desk.example
listen: {unix: desk.sock}
login: {issuer: https://id.example, client_id: desk}
roles: {approver: [dba]}
gateways: {pg: {control: "unix:control"}}
record: {folder: log, keys: keys, origin: desk.example}
"""


@pytest.fixture
def found(tmp_path):
    """(faults, remarks) of settings with these lines below the gateway's control port, and these at the end."""

    def look(gateway="", end=""):
        path = tmp_path / "desk.yaml"
        path.write_text(GOOD.replace('{control: "unix:control"}', f'{{control: "unix:control", {gateway}}}') + end)
        settings = load_settings(path)
        return tuple(desk_files.faults(settings)), tuple(desk_files.remarks(settings, 0))

    return look


@pytest.fixture
def there(tmp_path):
    """A log's folder, and a file of nonsense."""
    (tmp_path / "other").mkdir()
    (tmp_path / "nonsense").write_text("nonsense\n")


@pytest.mark.usefixtures("there")
def test_authorities_without_a_certificate_are_a_fault(found):
    ((fault,), _) = found("ca: nonsense")
    assert fault.startswith("gateways.pg.ca: ")
    assert "there is no certificate in it" in fault


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("vkey", ["nonsense", "other", '"gw.example+00000000+AAAA"'])
def test_a_key_that_is_none_is_a_fault(found, vkey):
    ((fault,), remarks) = found(f"log: other, vkey: {vkey}")
    assert "gateways.pg.vkey: " in fault
    assert "no key of a log" in fault
    assert remarks == ()


@pytest.mark.usefixtures("there")
def test_an_identity_that_is_none_is_a_fault_and_not_repeated(found):
    ((fault,), _) = found(end="identity: {file: nonsense}\n")
    assert fault == "identity: this is no age identity, nor an OpenSSH key without a pass phrase"


@pytest.mark.usefixtures("there")
def test_an_index_that_is_a_folder_is_a_fault(found):
    ((fault,), _) = found(end="index: other\n")
    assert "other is a folder; name a file" in fault


def test_what_is_not_there_yet_is_a_remark(found):
    faults, remarks = found("log: gone, vkey: gone.vkey, archive: gone-too")
    assert faults == ()
    assert [remark.partition(": there is no ")[0] for remark in remarks] == [
        "gateways.pg.log", "gateways.pg.vkey", "gateways.pg.archive",
    ]  # fmt: skip


@pytest.mark.usefixtures("there")
def test_a_gateway_without_a_log_or_a_key_is_a_remark(found):
    (remark,) = found("keys: other")[1]
    assert remark.startswith("gateways.pg.log: is not named")
    (remark,) = found("log: other, archive: other")[1]
    assert remark.startswith("gateways.pg.vkey: is not named")
