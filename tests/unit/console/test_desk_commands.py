GOOD = """\
version: 1
url: https://desk.example
listen: {unix: desk.sock}
login: {issuer: https://id.example, client_id: desk}
roles: {approver: [dba]}
gateways: {pg: {control: "unix:control"}}
record: {folder: log, keys: keys, origin: desk.example}
"""


def test_a_check_says_that_settings_are_good_and_serves_nothing(run, tmp_path):
    path = tmp_path / "desk.yaml"
    path.write_text(GOOD)
    done = run("desk", "--config", path, "--check")
    assert (done.exit_code, "https://desk.example" in done.output) == (0, True), done.output
    assert sorted(item.name for item in tmp_path.iterdir()) == ["desk.yaml"]


def test_a_check_tells_every_fault(run, tmp_path):
    path = tmp_path / "desk.yaml"
    path.write_text(
        GOOD.replace("roles", "rolls").replace("client_id: desk", "client_id: desk, secret: {env: NOT_SET}")
    )
    done = run("desk", "--config", path, "--check")
    assert done.exit_code == 2
    assert "rolls" in done.output
    path.write_text(GOOD.replace("client_id: desk", "client_id: desk, secret: {env: NOT_SET}"))
    done = run("desk", "--config", path, "--check")
    assert done.exit_code == 2
    assert "NOT_SET" in done.output


def test_a_check_reads_the_files_that_settings_name(run, tmp_path):
    path = tmp_path / "desk.yaml"
    (tmp_path / "ca.pem").write_text("nothing\n")
    path.write_text(GOOD.replace('control: "unix:control"', 'control: "unix:control", ca: ca.pem, log: gone'))
    done = run("desk", "--config", path, "--check")
    said = " ".join(done.output.split())
    assert done.exit_code == 2
    assert "gateways.pg.ca: " in said
    assert "there is no certificate in it" in said
    assert "remark: gateways.pg.log: there is no folder" in said


def test_settings_that_are_not_there_are_told(run, tmp_path):
    done = run("desk", "--config", tmp_path / "no.yaml")
    assert done.exit_code == 2
    assert "cannot be read" in done.output
