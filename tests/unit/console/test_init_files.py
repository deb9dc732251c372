"""What is written loads, whatever a database calls its things, and says in plain words what is weak."""

from dataclasses import replace

import pytest

from doorward_console.init_files import config_text, policy_text
from doorward_console.init_folder import CONFIG, POLICY
from doorward_console.init_proposals import Proposal
from doorward_console.init_target import Place
from doorward_core.config import load_config
from doorward_core.mask.select import column_masks
from doorward_core.policy.load import load_policy

EMAIL = Proposal("public.customer.email", "email", "partial", "name")
NASTY = 'a"b\\c: {d} # [e]\n- \x1b[2J*?!\u202e\u2028😀\t'


@pytest.fixture
def loaded(tmp_path, wanted):
    for name in ("gateway.crt", "gateway.key"):
        (tmp_path / name).touch()

    def load(asked=wanted, kept=(EMAIL,), left_out=()):
        (tmp_path / CONFIG).write_text(config_text(asked))
        (tmp_path / POLICY).write_text(policy_text(asked, tuple(kept), tuple(left_out)))
        config = load_config(tmp_path / CONFIG)
        return config, load_policy(config.policy)

    return load


def test_what_is_written_loads_and_means_what_was_asked(loaded):
    config, policy = loaded()
    shop = config.resources["shop"]
    assert (config.origin, config.approvals.listen.address, shop.default_account) == ("gw.example", "::1", "app")
    assert shop.target == {"host": "db.example", "port": 5432, "database": "shop", "tls": {"mode": "verify-full"}}
    assert shop.accounts["app"].password.env == "SHOP_PASSWORD"
    assert config.identity.issuers[0].audience == ("doorward",)
    assert [rule.id for rule in policy.rules if not rule.source.startswith("safe-catalog")][-3:] == [
        "reads",
        "changes-need-a-human",
        "no-ddl",
    ]


@pytest.mark.parametrize(
    ("changes", "target", "words"),
    [
        ({}, {"mode": "verify-full"}, "an authority that this machine trusts"),
        ({"target_ca": "/etc/ca.pem"}, {"mode": "verify-full", "ca": "/etc/ca.pem"}, "the authorities in `ca`"),
        ({"target_tls": "disable"}, {"mode": "disable"}, "WITHOUT TLS"),
        ({"place": Place("/run/pg", 5432, "shop", "app")}, None, "Unix socket"),
    ],
)
def test_how_the_target_is_protected_is_written_and_said(loaded, changes, target, words, wanted):
    asked = replace(wanted, **changes)
    config, _ = loaded(asked)
    assert config.resources["shop"].target.get("tls") == target
    assert words in config_text(asked)


@pytest.mark.parametrize(
    ("source", "words"),
    [({"env": "SECRET_NAME"}, "set SECRET_NAME"), ({"file": "/run/pw"}, "this file"), ({}, "asked for no password")],
)
def test_a_password_is_a_reference(loaded, source, words, wanted):
    config, _ = loaded(replace(wanted, password=source))
    assert words in config_text(replace(wanted, password=source))
    assert (config.resources["shop"].accounts["app"].password is None) == (not source)


def test_a_self_signed_certificate_is_said_so_plainly(wanted):
    assert "SELF-SIGNED" in config_text(wanted)
    assert "SELF-SIGNED" not in config_text(replace(wanted, self_signed=""))


def test_names_of_a_database_end_no_line_and_no_quotes(loaded, wanted):
    nasty = Proposal(f"{NASTY}.{NASTY}.{NASTY}", "email", "partial", NASTY)
    asked = replace(wanted, schemas=("public", NASTY), readers="a group: {of} many")
    _, policy = loaded(asked, kept=(EMAIL, nasty), left_out=(nasty,))
    text = policy_text(asked, (EMAIL, nasty), (nasty,))
    assert "\x1b" not in text
    assert "\u202e" not in text
    masks = tuple(rule.mask for rule in policy.mask_rules)
    relations = [(1, f"{NASTY}.{NASTY}", ((1, NASTY), (2, "other")))]
    assert column_masks(masks, relations)[1].keys() == {1}


def test_a_schema_that_would_allow_others_is_left_out_with_a_word(wanted):
    text = policy_text(replace(wanted, schemas=("*", "public", "a.b")), (), ())
    assert 'tables: ["public.*"]' in text
    assert "not allowed, for its name means more than itself in a pattern: *" in text


def test_every_kind_of_mask_loads(loaded):
    kept = (
        EMAIL,
        Proposal("public.customer.pw", "secret", "redact", "name"),
        Proposal("text of any column", "content", "partial", "found within values", ("email", "secrets")),
    )
    _, policy = loaded(kept=kept)
    assert [(rule.mask.rule, rule.mask.transform.value) for rule in policy.mask_rules] == [
        ("email", "partial"),
        ("secret", "redact"),
        ("content", "partial"),
    ]
    assert policy.mask_rules[2].mask.detect == ("email", "secrets")


def test_without_masks_it_loads_and_what_was_left_in_clear_is_written_down(loaded, wanted):
    _, policy = loaded(kept=(), left_out=(EMAIL,))
    assert policy.mask_rules == ()
    assert "#   public.customer.email (name)" in policy_text(wanted, (), (EMAIL,))
