"""The desk's settings as text, and the lines that a gateway lacks."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_console.init_desk_files import WantedDesk, desk_text, to_add
from doorward_console.init_desk_gateways import Before
from doorward_console.settings import TrustedWitnesses
from doorward_core.config_identity import Issuer
from doorward_core.config_witness import WitnessesSettings
from doorward_core.record.cosign import witness_vkey

ISSUER = Issuer(issuer="https://idp.example", audience=("doorward",))
GATEWAY = Before(
    name="shop",
    config=Path("/gw/doorward.yaml"),
    control="https://localhost:9465",
    authority=None,
    log=Path("/gw/state/log"),
    vkey=Path("/gw/state/keys/log.vkey"),
    keys=Path("/gw/state/keys/payload"),
    checkpoints=None,
    witnesses=None,
    issuers=(ISSUER,),
    approvers=frozenset({"dba"}),
    operators=frozenset(),
    link=False,
    passkeys=False,
)


@pytest.fixture
def asked():
    return WantedDesk(
        url="https://desk.example",
        origin="desk.example",
        listen_at=("0.0.0.0", 8445),
        certificate="tls/desk.crt",
        key="tls/desk.key",
        self_signed="for desk.example",
        client="doorward-desk",
        secret={},
        scopes=(),
        issuer=ISSUER,
        audiences=("doorward",),
        approvers=("dba",),
        auditors=("audit",),
        operators=("ops",),
        gateways=(GATEWAY,),
        made_on=date(2026, 11, 1),
    )


def test_tokens_are_judged_as_the_gateway_does(asked):
    issuer = ISSUER.model_copy(
        update={
            "max_age": 900, "groups_claim": "realm_access.roles", "tolerated_audiences": ("account",),
            "human_clients": ("desk-*",), "algorithms": ("ES256",), "ca_file": Path("/etc/idp.pem"),
        }
    )  # fmt: skip
    wanted = replace(asked, issuer=issuer, secret={"env": "DESK_SECRET"}, scopes=("openid", "groups"))
    assert yaml.safe_load(desk_text(wanted))["login"] == {
        "issuer": "https://idp.example",
        "client_id": "doorward-desk",
        "secret": {"env": "DESK_SECRET"},
        "scopes": ["openid", "groups"],
        "ca": "/etc/idp.pem",
        "audience": ["doorward"],
        "max_age": "900s",
        "groups_claim": "realm_access.roles",
        "tolerated_audiences": ["account"],
        "human_clients": ["desk-*"],
        "algorithms": ["ES256"],
    }


def test_a_name_that_looks_like_yaml_stays_a_name(asked):
    odd = '": {x: y}\n#'
    wanted = replace(asked, approvers=(odd,), client=odd, self_signed=odd, gateways=(replace(GATEWAY, name="no"),))
    read = yaml.safe_load(desk_text(wanted))
    assert (read["roles"]["approver"], read["login"]["client_id"]) == ([odd], odd)
    assert list(read["gateways"]) == ["no"]


def test_the_witnesses_that_a_gateway_asks_are_believed_and_are_to_be_compared(asked):
    assert "witnesses" not in desk_text(asked)
    vkeys = [witness_vkey(f"w{number}.example", Ed25519PrivateKey.generate()) for number in range(2)]
    listed = [{"url": "https://w.example", "vkey": vkey} for vkey in vkeys]
    named = WitnessesSettings.model_validate({"quorum": 2, "list": tuple(listed)})
    kept = Path("/gw/second/checkpoint")
    text = desk_text(replace(asked, gateways=(replace(GATEWAY, checkpoints=kept, witnesses=named),)))
    found = yaml.safe_load(text)["gateways"]["shop"]
    assert found["witnesses"] == {"quorum": 2, "vkeys": vkeys}
    assert found["checkpoints"] == str(kept)
    assert "compare each key with what the witness itself says" in text
    settings = TrustedWitnesses.model_validate({"quorum": 2, "vkeys": tuple(vkeys)})
    assert settings.vkeys == tuple(vkeys)


def test_only_what_a_gateway_lacks_is_to_be_added(asked):
    below, own = to_add(asked, GATEWAY)
    added = yaml.safe_load("\n".join(("approvals:", *below, *own)))
    assert added == {
        "approvals": {
            "link": "https://desk.example/approvals/{id}",
            "passkeys": {"file": "passkeys.jsonl", "rp_id": "desk.example", "origins": ["https://desk.example"]},
        },
        "operators": {"groups": ["ops"]},
    }
    whole = replace(GATEWAY, link=True, passkeys=True, operators=frozenset({"ops"}))
    assert to_add(asked, whole) == ((), ())
