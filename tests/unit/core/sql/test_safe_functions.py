"""The list of safe names is closed, sorted and free of what was found to be unsafe."""

from sql_stand import catalog

from doorward_core.sql.safe_functions import SAFE, SAFE_VOLATILE

UNSAFE = """
    nextval setval set_config pg_notify pg_sleep pg_sleep_for pg_read_file pg_ls_dir lo_get lo_import lo_export loread
    query_to_xml cursor_to_xml table_to_xml schema_to_xml database_to_xml table_to_xml_and_xmlschema
    query_to_xml_and_xmlschema database_to_xmlschema ts_stat ts_rewrite txid_current pg_current_xact_id
    pg_advisory_lock pg_try_advisory_lock pg_terminate_backend pg_cancel_backend pg_reload_conf pg_switch_wal
    pg_export_snapshot pg_stat_get_activity pg_stat_get_backend_activity pg_prepared_statement pg_cursor
    pg_mcv_list_items pg_logical_slot_get_changes pg_create_logical_replication_slot pg_stat_reset setseed domain_in
    record_in array_in pg_input_is_valid pg_input_error_info binary_upgrade_set_next_pg_type_oid
""".split()  # noqa: SIM905 - a list of names reads best as words


def test_what_was_found_unsafe_is_not_listed() -> None:
    assert not set(UNSAFE) & (SAFE | SAFE_VOLATILE)


def test_no_name_is_in_both_lists() -> None:
    assert not SAFE & SAFE_VOLATILE


def test_every_name_is_a_function_of_some_server() -> None:
    known = {
        item.name
        for version in (15, 18)
        for name in SAFE | SAFE_VOLATILE
        for item in catalog(version).functions((name,), ())
    }
    assert (SAFE | SAFE_VOLATILE) - known == set()


def test_no_listed_name_is_volatile_on_any_server() -> None:
    for version in (15, 18):
        wrong = {item.name for name in SAFE for item in catalog(version).functions((name,), ()) if item.volatile == "v"}
        assert wrong == set(), version


def test_no_listed_name_takes_or_gives_internal_values() -> None:
    internal = {2281, 2279, 3838, 2280, 3115, 325, 3310, 269}
    for version in (15, 18):
        wrong = {
            item.name
            for name in SAFE
            for item in catalog(version).functions((name,), ())
            if item.result_type in internal
        }
        assert wrong == set(), version
