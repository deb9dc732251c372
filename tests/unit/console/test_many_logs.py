"""Several logs of several gateways in one table, each line on its own verification."""

import json
import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.record import checkpoint
from doorward_core.record.cosign import cosign, witness_vkey
from doorward_core.record.encode import encode
from doorward_core.record.engine import Engine, Settings

NOW = 1_800_000_000_000_000_000


class House:
    """Logs of several origins, made by the writer's own engine."""

    def __init__(self, root):
        self.root = root

    def log(self, name, count=5, *, origin=None, more=0):
        """A log of so many events, which is gone on with by `more`."""
        origin = origin or f"{name}.example"
        settings = Settings(self.root / "logs" / name, origin, self.root / name / "s.pem", self.root / name / "p")
        for number in (count, more) if more else (count,):
            engine = Engine(settings)
            engine.open(NOW)
            for _ in range(number):
                engine.add(engine.size, NOW, "a.b", b"", b"", head=encode({"n": 1}), body=encode({"x": name}))
            engine.close(NOW)
        return settings.folder

    def vkey(self, name):
        return (self.root / name / "s.vkey").read_text().strip()


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    for name in ("a", "b", "c"):
        made.log(name)
    return made


def flags(house, *names):
    return [item for name in names for item in ("--key", house.vkey(name))]


def test_all_of_them_below_a_folder_are_verified_together(run, house):
    done = run("verify", "--all", house.root / "logs", *flags(house, "a", "b", "c"))
    assert done.exit_code == 0, done.output
    assert "ok: all 3 logs" in done.output
    for name in ("a", "b", "c"):
        assert f"{name}.example" in done.output


def test_the_bad_one_is_named_and_the_others_stay_good(run, house):
    bundle = next((house.root / "logs" / "b" / "tile" / "entries").rglob("*.p/*"))
    data = bytearray(bundle.read_bytes())
    data[300] ^= 1
    bundle.write_bytes(data)
    done = run("verify", *(house.root / "logs" / name for name in ("a", "b", "c")), "--json")
    found = json.loads(done.output)
    assert (done.exit_code, found["ok"], [log["ok"] for log in found["logs"]]) == (1, False, [True, False, True])
    told = run("logs", "--all", house.root / "logs")
    assert told.exit_code == 1
    assert "NOT OK: 1 of 3 logs" in told.output
    assert "PROBLEM" in told.output
    assert "logs/b: entry" in told.output


def test_a_log_does_not_get_away_from_its_key_by_another_name(run, house):
    shutil.rmtree(house.root / "logs" / "b")
    (house.root / "b" / "s.vkey").rename(house.root / "kept")
    house.log("b", origin="innocent.example")
    done = run(
        "verify", "--all", house.root / "logs", *flags(house, "a", "c"), "--key", (house.root / "kept").read_text()
    )
    assert done.exit_code == 1
    assert "there is no log of b.example" in done.output
    done = run("verify", "--all", house.root / "logs", *flags(house, "a", "c"))
    assert "none of the keys that were given is that of 'innocent.example'" in done.output


def test_a_log_that_is_missing_is_said_to_be(run, house):
    shutil.rmtree(house.root / "logs" / "b")
    done = run("verify", "--all", house.root / "logs", *flags(house, "a", "b", "c"))
    assert (done.exit_code, "no log of b.example" in done.output) == (1, True)


def test_logs_that_are_missing_are_said_to_be_where_one_is_left(run, house):
    shutil.rmtree(house.root / "logs" / "b")
    shutil.rmtree(house.root / "logs" / "c")
    for folders in (("--all", house.root / "logs"), (house.root / "logs" / "a",)):
        done = run("verify", *folders, *flags(house, "a", "b", "c"))
        assert (done.exit_code, "no log of b.example, c.example" in done.output) == (1, True)
    assert run("verify", "--all", house.root / "logs", *flags(house, "a")).exit_code == 0


def test_l_04_two_logs_of_one_origin_are_held_against_each_other(run, house):
    house.log("a2", origin="a.example")  # another log under the first one's name
    done = run("verify", "--all", house.root / "logs")
    assert done.exit_code == 1
    assert "neither begins with the other" in done.output


def test_an_earlier_copy_of_a_log_is_no_fork(run, house):
    shutil.copytree(house.root / "logs" / "a", house.root / "logs" / "copy")
    house.log("a")
    assert run("verify", "--all", house.root / "logs").exit_code == 0


def test_the_list_tells_size_last_event_and_what_it_rests_on(run, house):
    folder = house.root / "logs" / "a"
    done = run("logs", folder, "--checkpoint", folder / "checkpoint", "--key", house.vkey("a"), "--json")
    (found,) = json.loads(done.output)["logs"]
    assert (found["origin"], found["size"], found["last_event"]) == ("a.example", 7, "log.closed")
    assert (found["key_from_outside"], found["checkpoint_from_outside"]) == (True, True)


def test_witnesses_that_are_required_are_named_with_their_time(run, house, tmp_path):
    folder, keys = house.root / "logs" / "a", [Ed25519PrivateKey.generate() for _ in range(3)]
    vkeys = [witness_vkey(f"w{place}.example", key) for place, key in enumerate(keys)]
    note = (folder / "checkpoint").read_bytes()
    text, _ = checkpoint.split(note)
    for place in (0, 1):
        note += cosign(text, f"w{place}.example", keys[place], 1_800_000_000)
    (tmp_path / "cosigned").write_bytes(note)
    asked = [item for vkey in vkeys for item in ("--witness", vkey)]
    done = run("verify", folder, "--checkpoint", tmp_path / "cosigned", *asked, "--quorum", 2)
    assert done.exit_code == 0, done.output
    assert "cosigned  by 2; 2 had to" in done.output
    assert "w1.example, 2027-01-15" in done.output
    for options in (asked, [*asked, "--quorum", 3]):
        failed = run("verify", folder, "--checkpoint", tmp_path / "cosigned", *options)
        assert (failed.exit_code, "missing: w2.example" in failed.output) == (1, True)
    bare = run("verify", folder, *asked, "--quorum", 1)
    assert (bare.exit_code, "cosigned by 0 of the 1 witnesses" in bare.output) == (1, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "name a log's folder"),
        (("--witness", "nonsense"), "not a witness's vkey"),
        (("nowhere",), "there is no log at nowhere"),
    ],
)
def test_what_cannot_be_asked_is_said(run, house, options, words):
    folders = () if not options or options == ("nowhere",) else (house.root / "logs" / "a",)
    done = run("verify", *folders, *options)
    assert (done.exit_code, words in done.output) == (2, True), done.output


def test_two_keys_for_one_origin_are_refused(run, house):
    house.log("a2", origin="a.example")
    done = run("verify", house.root / "logs" / "a", "--key", house.vkey("a"), "--key", house.vkey("a2"))
    assert (done.exit_code, "two keys were given" in done.output) == (2, True)
