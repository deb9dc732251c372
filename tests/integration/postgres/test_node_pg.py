"""node-postgres through the gateway: `node/program.mjs`, installed from a lock without addresses."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.need_embedded_postgres, pytest.mark.need_node]
SOURCE = Path(__file__).with_name("node")


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "program.mjs"):
        shutil.copy(SOURCE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        pytest.skip("needs node-postgres: npm could not install it")
    return folder


@pytest.fixture
def told(installed, shop):
    environment = {
        **os.environ,
        "SHOP_PORT": str(shop.port),
        "SHOP_AUTHORITY": str(shop.state / "tls/ca.crt"),
        "SHOP_READER": shop.token(groups=("readers",), subject="node-1"),
        "SHOP_WRITER": shop.token(groups=("writers",), subject="node-2"),
    }
    done = subprocess.run(
        ["node", "program.mjs"],
        cwd=installed,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def masked(emails):
    return all("***" in email for email in emails)


def test_node_postgres_in_daily_use(told):
    assert [row["id"] for row in told["plain"]] == [1, 2, 3]
    assert masked(row["email"] for row in told["plain"] + told["parameters"])
    assert masked(told["named"])
    assert told["array"] == [1, 2]
    assert told["several"] == [{"a": 1}, {"b": 2}]
    assert told["codes"] == ["42501", "42P01", "42703", "42601", "22P02"]
    assert told["after"] == "still here"
    assert told["streamed"] == 300
    assert len(told["copied"]) == 10
    assert masked(told["copied"])
    assert told["pooled"] == 30
    assert told["moved"] == [1, "returned"]
    assert (told["copiedIn"], told["left"]) == (2, 0)
    assert told["timeout"] == "57014"
