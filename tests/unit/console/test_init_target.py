"""Targets as operators write them, passwords where libpq looks for them, and faults in words."""

import pytest

from doorward_console.catalogue import TargetFault, Trouble
from doorward_console.init_target import BadTarget, Place, explain, find_password, from_password_file, parse_target

PLACE = Place("db.example", 5432, "app", "joe")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://joe@db.example:5433/app", Place("db.example", 5433, "app", "joe")),
        ("postgres://joe@db.example/app", PLACE),
        ("postgresql://j%40e@[::1]/my%20app", Place("::1", 5432, "my app", "j@e")),
        ("postgresql://joe@/app?host=/run/postgresql", Place("/run/postgresql", 5432, "app", "joe")),
    ],
)
def test_a_url_names_one_place(url, place):
    assert parse_target(url) == place


@pytest.mark.parametrize(
    "url",
    ["postgresql://joe:hunter2@db/app", "postgresql://joe:@db/app", "postgresql://joe@db/app?password=hunter2"],
)
def test_a_url_with_a_password_is_refused_with_advice_and_not_repeated(url):
    with pytest.raises(BadTarget, match="PGPASSWORD") as refused:
        parse_target(url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "mysql://joe@db/hunter2",
        "postgresql://db/hunter2",
        "postgresql://joe@db",
        "postgresql://joe@/hunter2",
        "postgresql://joe@a,b/hunter2",
        "postgresql://joe@db:port/hunter2",
        "postgresql://joe@db:99999/hunter2",
        "postgresql://joe@[db/hunter2",
        "postgresql://joe@db/hunter2?options=-c",
        "postgresql://joe@db/hunter2?sslmode=disable",
        "postgresql://joe@/hunter2?host=elsewhere",
        "postgresql://joe@db/hunter2\n",
        "postgresql://joe@db/%00hunter2",
        "postgresql://joe@db/" + "hunter2" * 1000,
    ],
)
def test_anything_else_is_refused_and_never_repeated(url):
    with pytest.raises(BadTarget) as refused:
        parse_target(url)
    assert "hunter2" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("line", "password"),
    [
        ("db.example:5432:app:joe:secret", "secret"),
        ("*:*:*:*:se:cret", "se:cret"),
        ("# note\nother:*:*:*:no\ndb.example:*:*:joe:yes", "yes"),
        (r"*:*:*:joe:a\:b\\c", r"a:b\c"),
        ("*:*:*:ann:no", None),
        ("*:*:*:joe:", None),
        ("too:short", None),
        ("", None),
    ],
)
def test_the_password_file_is_read_as_libpq_reads_it(line, password):
    found = from_password_file(line, PLACE)
    assert (found.reveal() if found else None) == password


def test_a_socket_is_looked_up_as_localhost():
    assert from_password_file("localhost:*:*:*:here", Place("/run", 5432, "app", "joe")).reveal() == "here"


def test_the_variable_comes_before_the_file(tmp_path):
    (tmp_path / ".pgpass").write_text("*:*:*:*:filed\n")
    (tmp_path / ".pgpass").chmod(0o600)
    home = {"HOME": str(tmp_path)}
    assert find_password(PLACE, home | {"PGPASSWORD": "told"}).reveal() == "told"
    assert find_password(PLACE, home).reveal() == "filed"
    assert find_password(PLACE, {"HOME": "/nowhere"}) is None


def test_a_password_file_that_others_can_read_is_not_used(tmp_path):
    (tmp_path / "pass").write_text("*:*:*:*:filed\n")
    (tmp_path / "pass").chmod(0o640)
    assert find_password(PLACE, {"PGPASSFILE": str(tmp_path / "pass")}) is None


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (TargetFault(Trouble.UNREACHABLE, "Connection refused"), "Connection refused"),
        (TargetFault(Trouble.NO_TLS), "--target-tls disable"),
        (TargetFault(Trouble.CERTIFICATE, "self-signed certificate"), "--target-ca"),
        (TargetFault(Trouble.REFUSED, sqlstate="28P01"), "password"),
        (TargetFault(Trouble.REFUSED, sqlstate="42501"), "no right"),
        (TargetFault(Trouble.REFUSED, sqlstate="XX000"), "XX000"),
        (TargetFault(Trouble.NONSENSE), "does not speak"),
    ],
)
def test_every_fault_is_told_with_the_place(fault, word):
    told = explain(fault, PLACE)
    assert told.startswith("app at db.example:5432")
    assert word in told
