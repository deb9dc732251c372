"""pg_dump 18 under a policy that allows it (`dump` in clients_policy.yaml says what it needs)."""

import os
import subprocess

import pytest

from doorward_demo.postgres import embedded_programs

pytestmark = pytest.mark.need_embedded_postgres


@pytest.fixture
def dump(shop):
    def program(*arguments, who="dumpers", check=True):
        command = [str(embedded_programs() / "pg_dump"), "-h", str(shop.sockets), "-p", str(shop.port), "-U", "app"]
        token = shop.token(groups=(who,), subject=f"{who}-1")
        done = subprocess.run(
            [*command, *arguments, "shop"],
            env={**os.environ, "PGPASSWORD": token},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return program


def test_the_schema(dump, heard):
    with heard("pg_dump"):
        out = dump("--schema-only")
    assert "CREATE TABLE public.customer (" in out
    assert "ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY" in out
    assert "CREATE INDEX orders_customer ON public.orders" in out


def test_the_data_of_tables_without_masks_is_whole(dump, shop):
    out = dump("--data-only", "--table=orders", "--table=order_item")
    lines = out.split("COPY public.orders ")[1].split("FROM stdin;\n")[1].split("\n\\.")[0].splitlines()
    with shop.target.connect("app") as truth:
        with truth.cursor() as cursor, cursor.copy("copy orders to stdout") as copy:
            rows = b"".join(bytes(piece) for piece in copy).decode().splitlines()
    assert sorted(lines) == sorted(rows)


def test_inserts_come_through_cursors(dump):
    out = dump("--data-only", "--inserts", "--table=orders")
    assert out.count("INSERT INTO public.orders VALUES") > 100


def test_masked_columns_are_masked_in_a_dump(dump, shop):
    out = dump("--data-only", "--table=customer")
    with shop.target.connect("app") as truth:
        emails = [email for (email,) in truth.execute("select email from customer")]
    assert not [email for email in emails if email in out]
    assert "***@" in out


def test_the_custom_format_can_be_restored_from(dump, tmp_path):
    file = tmp_path / "shop.dump"
    dump("--format=custom", f"--file={file}")
    listed = subprocess.run(
        [str(embedded_programs() / "pg_restore"), "--list", str(file)], capture_output=True, text=True, check=True
    ).stdout
    assert "TABLE DATA public order_item" in listed


def test_who_may_not_read_the_tables_may_not_dump_them(dump):
    assert "No rule allows" in dump("--schema-only", who="lookers", check=False)
