"""Somebody else's C2SP implementation reads our tiles, checkpoints, cosignatures and proofs: aics-tlog, from PyPI.

It shares no line with ours, and needs a Python of its own; the tests make an environment for it from `.ci/tlog.lock`.
"""

import json
import subprocess
from pathlib import Path

import pytest
import python_312
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from doorward_console.__main__ import app
from doorward_core.record.checkpoint import split
from doorward_core.record.cosign import cosign, witness_vkey
from doorward_core.record.encode import encode
from doorward_core.record.engine import Engine, Settings

pytestmark = pytest.mark.need_python312
LOCK = Path(__file__).parents[2] / ".ci" / "tlog.lock"
NOW = 1_800_000_000_000_000_000

# What the other side is asked to do, in its own words; it answers in JSON.
SCRIPT = """
import base64, json, sys
from pathlib import Path
import aics_tlog as t

case = json.load(sys.stdin)
folder, note = Path(case["folder"]), t.parse_note(Path(case["note"]).read_bytes())
log_key = t.parse_vkey(case["vkey"])
witnesses = [t.parse_vkey(vkey) for vkey in case["witnesses"]]
answer = {}
seen = t.verify_checkpoint(note, log_key, witnesses, case["quorum"], expected_origin=case["origin"])
answer["checkpoint"] = {"ok": seen.ok, "size": seen.size, "witnesses": sorted(seen.witnesses), "error": seen.error}
reader = t.FileSystemTileReader(folder)
try:
    audit = t.audit_tiles(reader, seen.size, seen.root)
    answer["audit"] = [audit.tiles, audit.bundles]
except (ValueError, OSError) as error:
    answer["audit"] = str(error)
if isinstance(answer["audit"], list):
    answer["root"] = t.tree_root_from_tiles(reader, seen.size).hex() == seen.root.hex()
    answer["entries"] = all(
        t.verify_leaf_inclusion(
            t.read_entry(reader, at, seen.size), at, seen.size, t.inclusion_proof_from_tiles(reader, at, seen.size), seen.root
        )
        for at in case["indices"]
    )
    lines = case["proof"].split("\\n")
    end = lines.index("")
    answer["proof"] = t.verify_leaf_inclusion(
        base64.b64decode(lines[1].removeprefix("extra ")), int(lines[2].removeprefix("index ")), seen.size,
        [base64.b64decode(line) for line in lines[3:end]], seen.root,
    )
    lines = case["growth"].split("\\n")
    end = lines.index("")
    _, size, root = lines[1].split(" ")
    path = [base64.b64decode(line) for line in lines[2:end]]
    answer["growth"] = t.verify_consistency(int(size), seen.size, base64.b64decode(root), seen.root, path)
    theirs = t.consistency_proof_from_tiles(reader, int(size), seen.size)
    answer["same_growth"] = theirs == path
json.dump(answer, sys.stdout)
"""


@pytest.fixture(scope="session")
def outsider(tmp_path_factory):
    """An environment with the other implementation; skipped where it cannot be had."""
    home = tmp_path_factory.mktemp("tlog") / "venv"
    subprocess.run([python_312.found(), "-m", "venv", home], check=True, capture_output=True)
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run([*pip, "--require-hashes", "-r", LOCK], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs aics-tlog from a package index: {done.stderr.strip().splitlines()[-1:]}")
    return home / "bin" / "python"


@pytest.fixture
def run_doorward():
    """The command, in this process."""
    runner = CliRunner(env={"COLUMNS": None})
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


class Case:
    """A log with everything that there is to read of it."""

    def __init__(self, root: Path, count: int) -> None:
        self.folder, self.root = root / "log", root
        self.settings = Settings(self.folder, "gateway.example/a", root / "keys" / "s.pem", root / "keys" / "p")
        engine = Engine(self.settings)
        engine.open(NOW)
        for _ in range(count):
            body = encode({"text": f"SELECT {engine.size}"})
            engine.add(engine.size, NOW, "operation.decided", bytes(16), b"", head=encode({"n": 1}), body=body)
        engine.close(NOW)
        self.size, self.vkey = engine.size, engine.vkey
        self.keys = {name: Ed25519PrivateKey.generate() for name in ("w1.example", "w2.example", "w3.example")}

    def proof(self, run, *options):
        out = self.root / "proof"
        done = run("log", "prove", self.folder, *options, "-o", out)
        assert done.exit_code == 0, done.output
        return out.read_text()

    def ask(self, outsider, run, *, quorum=2):
        note = (self.folder / "checkpoint").read_bytes()
        text, _ = split(note)
        lines = b"".join(cosign(text, name, key, NOW // 10**9) for name, key in list(self.keys.items())[:2])
        (self.root / "cosigned").write_bytes(note + lines)
        case = {
            "folder": str(self.folder),
            "note": str(self.root / "cosigned"),
            "vkey": self.vkey,
            "origin": "gateway.example/a",
            "witnesses": [witness_vkey(name, key) for name, key in self.keys.items()],
            "quorum": quorum,
            "indices": sorted({0, 1, self.size // 2, self.size - 1}),
            "proof": self.proof(run, "--index", self.size // 3),
            "growth": self.proof(run, "--from", self.size // 2),
        }
        done = subprocess.run(
            [outsider, "-I", "-c", SCRIPT], input=json.dumps(case), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.mark.parametrize("count", [1, 254, 255, 600, 66_000])
def test_tiles_checkpoints_cosignatures_and_proofs_are_read_by_another(outsider, run_doorward, tmp_path, count):
    case = Case(tmp_path, count)
    answer = case.ask(outsider, run_doorward)
    seen = answer.pop("checkpoint")
    assert (seen["ok"], seen["size"], seen["error"]) == (True, case.size, None)
    assert seen["witnesses"] == ["w1.example", "w2.example"]
    bundles = -(-case.size // 256)
    assert answer.pop("audit")[1] == bundles
    assert answer == {"root": True, "entries": True, "proof": True, "growth": True, "same_growth": True}


def test_what_we_would_refuse_it_refuses_too(outsider, run_doorward, tmp_path):
    case = Case(tmp_path, 600)
    assert not case.ask(outsider, run_doorward, quorum=3)["checkpoint"]["ok"]
    proof, growth = case.proof(run_doorward, "--index", 3), case.proof(run_doorward, "--from", 9)
    bundle = case.folder / "tile" / "entries" / "001"
    data = bytearray(bundle.read_bytes())
    data[1000] ^= 1
    bundle.write_bytes(data)
    case.proof = lambda _run, option, _at: proof if option == "--index" else growth
    assert isinstance(case.ask(outsider, run_doorward)["audit"], str)
