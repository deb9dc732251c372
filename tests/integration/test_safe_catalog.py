"""The shipped rule set against a real server's catalogue: nothing there is unknown to us, and nothing allowed tells."""

import pytest

from doorward_core.model import Action, Atom, AuthMethod, Effect, Identity, Operation, PrincipalKind, Resource, Target
from doorward_core.policy.load import parse_policy
from doorward_demo import postgres

pytestmark = pytest.mark.need_embedded_postgres

# What safe-catalog leaves out on purpose. A name that is neither here nor there is new: look at it, then list it.
LEFT_OUT = """
    pg_aios pg_authid pg_backend_memory_contexts pg_config pg_cursors pg_db_role_setting pg_file_settings
    pg_foreign_data_wrapper pg_foreign_server pg_hba_file_rules pg_ident_file_mappings pg_largeobject pg_locks
    pg_prepared_statements pg_prepared_xacts pg_replication_origin pg_replication_origin_status pg_replication_slots
    pg_sequences pg_settings pg_shadow pg_shmem_allocations pg_shmem_allocations_numa pg_statistic
    pg_statistic_ext_data pg_stats pg_stats_ext pg_stats_ext_exprs pg_subscription pg_subscription_rel pg_user
    pg_user_mapping pg_user_mappings pg_wait_events
"""
LEFT_OUT_INFORMATION = """
    _pg_foreign_data_wrappers _pg_foreign_servers _pg_foreign_table_columns _pg_foreign_tables _pg_user_mappings
    column_options foreign_data_wrapper_options foreign_server_options foreign_table_options user_mapping_options
    user_mappings
"""
LIST = """
SELECT n.nspname::text, c.relname::text, a.attname::text, t.typname::text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v', 'm')
"""


@pytest.fixture(scope="module")
def catalogue():
    """(schema, relation) to its columns with their types, as a fresh server has them."""
    found = {}
    with postgres.running() as server, server.connect(postgres.SUPERUSER, "postgres") as connection:
        for schema, relation, column, type_name in connection.execute(LIST).fetchall():
            found.setdefault((schema, relation), {})[column] = type_name
    return found


@pytest.fixture(scope="module")
def allowed():
    policy = parse_policy("include: [safe-catalog]", "policy.yaml")
    me = Identity("s", "i", PrincipalKind.AGENT, frozenset(), AuthMethod.JWT, "j", 0, 0)
    database = Resource("app-db", "postgres")

    def ask(schema, relation, columns=()):
        atom = Atom(Action.READ, Target("relation", f"{schema}.{relation}", tuple(columns)))
        operation = Operation(b"", 0, Action.READ, "SELECT", (atom,), "", b"")
        return policy.decide(me, database, operation, 0, discharges=frozenset()).effect is Effect.PERMIT

    return ask


def test_every_catalogue_of_the_server_is_known_to_be_safe_or_left_out(catalogue, allowed):
    whole = {key for key in catalogue if allowed(*key)}
    left_out = {relation for schema, relation in catalogue.keys() - whole if schema == "pg_catalog"}
    left_out = {name for name in left_out if not name.startswith(("pg_stat_", "pg_statio_"))}
    assert left_out - set(LEFT_OUT.split()) == {"pg_roles"}  # allowed, but for one column
    information = {relation for schema, relation in catalogue.keys() - whole if schema == "information_schema"}
    assert information == set(LEFT_OUT_INFORMATION.split())
    assert len(whole) > 120


def test_no_safe_catalogue_tells_values_or_secrets(catalogue, allowed):
    """`anyarray` is the type of collected values; a `pg_lsn`, a password or a connection string has no place here."""
    telling = {
        f"{schema}.{relation}.{column}"
        for (schema, relation), columns in catalogue.items()
        for column, type_name in columns.items()
        if allowed(schema, relation, [column])
        and (
            type_name in {"anyarray", "pg_lsn"}
            or any(
                word in column
                for word in ("passw", "conninfo", "secret", "umoptions", "srvoptions", "rolconfig", "useconfig")
            )
        )
    }
    # The constant that a column added later has in old rows (shape, not data), and the password that is shown as stars.
    assert telling == {"pg_catalog.pg_attribute.attmissingval", "pg_catalog.pg_roles.rolpassword"}


def test_every_name_in_the_rule_set_exists(catalogue):
    policy = parse_policy("include: [safe-catalog]", "policy.yaml")
    for rule in policy.rules:
        assert rule.kinds is not None
        named = {tuple(name.split(".")) for name in rule.kinds["relation"].exact}
        assert named <= catalogue.keys()


def test_roles_are_told_without_their_settings(catalogue, allowed):
    columns = set(catalogue["pg_catalog", "pg_roles"])
    assert allowed("pg_catalog", "pg_roles", sorted(columns - {"rolconfig"}))
    assert not allowed("pg_catalog", "pg_roles", ["rolname", "rolconfig"])
    assert not allowed("pg_catalog", "pg_roles")


def test_nothing_but_reading_is_allowed():
    policy = parse_policy("include: [safe-catalog]", "policy.yaml")
    assert {action for rule in policy.rules for action in rule.actions} == {Action.READ}
