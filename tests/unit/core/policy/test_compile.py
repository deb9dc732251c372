import pytest


@pytest.mark.parametrize(
    ("who", "identity", "matches"),
    [
        ("{groups: [crew-a, crew-b]}", {"groups": ["crew-b", "x"]}, True),
        ("{groups: ['crew-*']}", {"groups": ["crew-z"]}, True),
        ("{groups: [crew-a]}", {"groups": []}, False),
        ("{subjects: [crew-7], issuers: ['https://idp.example']}", {}, True),
        ("{subjects: [crew-7], issuers: ['https://other.example']}", {}, False),
        ("{kind: human}", {}, False),
        ("{kind: agent, groups: [g]}", {"groups": ["g"]}, True),
        ("{attributes: {crew: ['a*']}}", {"attributes": {"crew": "alpha"}}, True),
        ("{attributes: {crew: ['a*']}}", {"attributes": {}}, False),
        ("{attributes: {crew: ['*']}}", {"attributes": {}}, False),
    ],
)
def test_who_matches_every_key_and_within_a_key_any_entry(asking, who, identity, matches):
    ask = asking(f"rules: [{{id: r, effect: allow, who: {who}, resource: app-db, do: [read]}}]")
    me = ask.who(*identity.get("groups", ()), **identity.get("attributes", {}))
    assert (ask.effect(me, ask.atom("read", "public.a")) == "permit") is matches


@pytest.mark.parametrize(
    ("resource", "matches"),
    [
        ("app-db", True),
        ("'app-*'", True),
        ("[x, app-db]", True),
        ("['*', '!app-db']", False),
        ("{labels: {env: [prod]}}", True),
        ("{labels: {env: [test]}}", False),
        ("{labels: {zone: ['*']}}", False),
        ("{names: ['app-*'], protocols: [postgres]}", True),
        ("{names: ['app-*'], protocols: [ssh]}", False),
    ],
)
def test_resource_is_a_name_a_list_or_labels(asking, resource, matches):
    ask = asking(f"rules: [{{id: r, effect: allow, resource: {resource}, do: [read]}}]")
    assert (ask.effect(ask.who(), ask.atom("read", "public.a")) == "permit") is matches


def test_a_filter_by_target_is_about_that_kind_alone(asking):
    ask = asking(
        "rules: [{id: r, effect: allow, resource: app-db, do: [any],"
        " tables: ['public.*'], functions: [public.f], targets: {schema: [audit]}}]"
    )
    yes = [("read", "public.a", "relation"), ("execute", "public.f", "function"), ("define", "audit", "schema")]
    no = [("read", "a.public", "relation"), ("execute", "public.g", "function"), ("define", "audit2", "schema")]
    for action, name, kind in yes:
        assert ask.effect(ask.who(), ask.atom(action, name, kind=kind)) == "permit"
    for action, name, kind in [*no, ("admin", "public.f", "role"), ("execute", "DO", "opaque")]:
        assert ask.effect(ask.who(), ask.atom(action, name, kind=kind)) == "deny"
