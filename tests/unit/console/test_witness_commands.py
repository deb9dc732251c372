"""`doorward witness`: a witness made, run as a process, and asked."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.record import checkpoint, merkle, witness
from doorward_core.record.cosign import cosignatures
from doorward_core.record.witness_settings import load_witness_settings

ORIGIN = "gateway.example/a"


@pytest.fixture
def log_key():
    return Ed25519PrivateKey.generate()


def vkey_of(key):
    return checkpoint.make_vkey(ORIGIN, checkpoint.public_bytes(key.public_key()))


def test_init_makes_a_key_that_others_cannot_read_and_prints_the_vkey(run, tmp_path, log_key):
    done = run("witness", "init", tmp_path / "w", "--name", "witness.example/w1", "--log", vkey_of(log_key))
    assert done.exit_code == 0, done.output
    assert done.output.startswith("witness.example/w1+")
    assert (tmp_path / "w" / "witness.key").stat().st_mode & 0o077 == 0
    assert (tmp_path / "w" / "witness.vkey").read_text().strip() == done.output.splitlines()[0]
    again = run("witness", "init", tmp_path / "w", "--name", "witness.example/w1")
    assert (again.exit_code, "there already" in again.output) == (2, True)


def test_what_it_keeps_may_lie_elsewhere_than_its_configuration(run, tmp_path, log_key):
    words = ("--name", "w.example", "--log", vkey_of(log_key), "--state", "/var/lib/doorward/state")
    assert run("witness", "init", tmp_path / "w", *words).exit_code == 0
    assert load_witness_settings(tmp_path / "w" / "witness.yaml").state == Path("/var/lib/doorward/state")


@pytest.mark.parametrize("name", ["a b", "a+b", ""])
def test_init_refuses_a_name_that_is_none(run, tmp_path, name):
    assert run("witness", "init", tmp_path / "w", "--name", name).exit_code == 2
    assert not (tmp_path / "w").exists()


def test_without_logs_the_configuration_says_what_is_to_be_filled_in(run, tmp_path):
    assert run("witness", "init", tmp_path / "w", "--name", "w.example").exit_code == 0
    done = run("witness", "--config", tmp_path / "w" / "witness.yaml")
    assert (done.exit_code, "needs at least one entry" in done.output) == (2, True)


def test_it_needs_a_configuration(run):
    assert run("witness").exit_code == 2


def test_a_process_cosigns_and_ends_when_it_is_told(run, tmp_path, log_key):
    folder = tmp_path / "w"
    made = run("witness", "init", folder, "--name", "w.example", "--log", vkey_of(log_key), "--port", 0)
    vkey = made.output.splitlines()[0]
    command = [sys.executable, "-m", "doorward_console", "witness", "--config", str(folder / "witness.yaml")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ) as process:
        try:
            ready = json.loads(process.stderr.readline())
            assert (ready["event"], ready["vkey"]) == ("witness.ready", vkey)
            note = checkpoint.sign(checkpoint.Checkpoint(ORIGIN, 1, merkle.leaf_hash(b"x")), log_key)
            body = witness.write_request(0, (), note)
            answer = httpx2.post(f"http://{ready['at']}/add-checkpoint", content=body, trust_env=False)
            assert answer.status_code == 200
            text = checkpoint.split(note)[0]
            assert len(cosignatures(text, answer.content, (vkey,))) == 1
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0


def test_two_processes_on_one_state_are_refused(run, tmp_path, log_key):
    folder = tmp_path / "w"
    run("witness", "init", folder, "--name", "w.example", "--log", vkey_of(log_key), "--port", 0)
    command = [sys.executable, "-m", "doorward_console", "witness", "--config", str(folder / "witness.yaml")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        process.stderr.readline()
        second = subprocess.run(command, capture_output=True, check=False, timeout=120)
        process.terminate()
        process.communicate()
    assert (second.returncode, b"another witness" in second.stderr) == (1, True)
