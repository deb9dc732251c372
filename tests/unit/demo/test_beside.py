import stat

import pytest

from doorward_demo import beside
from doorward_demo.postgres import DemoError
from doorward_demo.stack import Stack


class Absent(beside.Place):
    kind = "absent"


@pytest.fixture
def stack(tmp_path):
    return Stack(tmp_path, tmp_path, 6432, 9464, 8090, "http://127.0.0.1:9400")


def test_its_folder_is_its_own_and_private(stack):
    folder = beside.folder_of("ssh", stack)
    assert folder == stack.state / "ssh"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_its_kind_says_where_approvers_reach_it(tmp_path):
    place = Absent(tmp_path / "absent", tmp_path, 8443)
    assert place.control == f"unix:{tmp_path}/absent-approvals.sock"
    assert place.log == tmp_path / "absent" / "log"


def test_a_gateway_that_does_not_start_is_told_with_what_it_said(stack, tmp_path):
    place = Absent(beside.folder_of("absent", stack), tmp_path, 8443)
    config = "{issuer} {audience} {port} {sockets} {own}"
    with pytest.raises(DemoError, match="No module named doorward_absent"):
        with beside.guarding(place, stack, config, {"own": "x"}, "rules: []"):
            pass
    written = (place.state / "gateway.yaml").read_text()
    assert written == f"http://127.0.0.1:9400 doorward 8443 {tmp_path} x"
    assert (place.state / "policy.yaml").read_text() == "rules: []"
