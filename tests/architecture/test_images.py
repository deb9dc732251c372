"""Images and `compose.yaml`: what a Dockerfile copies is there, what a wheel should carry it carries, and no service has
more rights than another.

There is no Docker here: Dockerfiles are read as text, and the wheels are built as their steps build them.
"""

import fnmatch
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest
import yaml

from doorward_console.settings import load_settings
from doorward_core.config import load_config
from doorward_core.record.checkpoint import make_vkey
from doorward_core.record.witness_settings import load_witness_settings
from doorward_http.settings import HttpTarget
from doorward_postgres.settings import PostgresTarget
from doorward_ssh.settings import SshTarget

DOCKERFILES = (
    "proxies/postgres/Dockerfile",
    "proxies/ssh/Dockerfile",
    "proxies/http/Dockerfile",
    "proxies/k8s/Dockerfile",
    "console/Dockerfile",
)
SHIPPED = ("doorward_core", "doorward_postgres", "doorward_ssh", "doorward_http", "doorward_k8s", "doorward_console")
DATA = (
    "doorward_core/policy/safe_catalog.yaml",
    "doorward_console/evidence/verify.py",
    "doorward_console/evidence/templates/report.html",
    "doorward_console/web/templates/base.html",
    "doorward_console/web/static/app.css",
    "doorward_console/web/static/vendor/htmx-2.0.11.min.js",
    "doorward_console/web/static/vendor/htmx.LICENSE",
)
"""Some of what is no module, so that a listing that is empty cannot pass."""
STATE = "/var/lib/doorward"
MODELS = {"postgres": PostgresTarget, "ssh": SshTarget, "http": HttpTarget}


def _kept(path: str, patterns: list[str]) -> bool:
    """Whether `.dockerignore` leaves a path: the last pattern that fits it, or a folder that it is in, decides."""
    places = [path, *(str(parent) for parent in PurePosixPath(path).parents if str(parent) != ".")]
    kept = True
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        names = {bare, bare.removeprefix("**/")}
        if any(fnmatch.fnmatchcase(place, name) for place in places for name in names):
            kept = pattern.startswith("!")
    return kept


@pytest.fixture(scope="module")
def ignored(root: Path) -> list[str]:
    return (root / ".dockerignore").read_text(encoding="utf-8").split()


@pytest.fixture(scope="module")
def services(root: Path) -> dict[str, dict]:
    return yaml.safe_load((root / "compose.yaml").read_text(encoding="utf-8"))["services"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_what_an_image_copies_is_there_and_in_its_context(dockerfile: str, root: Path, ignored: list[str]) -> None:
    text = (root / dockerfile).read_text(encoding="utf-8")
    sources = [name for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for name in line.split()[:-1]]
    assert "core" in sources
    for source in sources:
        assert (root / source).exists(), source
        inside = source if (root / source).is_file() else f"{source}/pyproject.toml"
        assert _kept(inside, ignored), f"{source} is not in the context: .dockerignore"


def test_the_context_has_nothing_that_no_image_needs(ignored: list[str]) -> None:
    for path in ("demo/pyproject.toml", "tests/conftest.py", ".git/config", "deploy/tls.key", "uv.lock"):
        assert not _kept(path, ignored)
    assert not _kept("core/doorward_core/__pycache__/model.cpython-311.pyc", [*ignored])
    assert not _kept("console/pyproject.toml", [line for line in ignored if line != "!console"])


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_images_differ_in_their_distribution_alone(dockerfile: str, root: Path) -> None:
    """Each installs from its own lock with hashes, offline where it can, and runs as the same unprivileged user."""
    text = (root / dockerfile).read_text(encoding="utf-8")
    member = str(PurePosixPath(dockerfile).parent)
    assert f"COPY {member} {member}\n" in text
    assert f"COPY {member}/requirements.lock /tmp/\n" in text
    assert f"--wheel-dir wheels ./core ./{member}\n" in text
    assert text.count("--require-hashes --no-deps") == 2
    assert "pip install --no-cache-dir --no-index --no-deps /tmp/wheels/*.whl" in text
    assert "useradd --system --uid 10001" in text
    assert text.index("USER doorward") < text.index("ENTRYPOINT")
    assert f"VOLUME {STATE}" in text
    assert "HEALTHCHECK" in text
    program = re.search(r'^ENTRYPOINT \["python", "-m", "(\w+)"\]$', text, re.MULTILINE)
    project = tomllib.loads((root / member / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if program is None:
        assert 'ENTRYPOINT ["doorward"]' in text
        assert project["scripts"]["doorward"] == "doorward_console.__main__:main"
    else:
        assert (root / member / program[1] / "__main__.py").is_file()


@pytest.mark.parametrize("package", SHIPPED)
def test_a_wheel_carries_everything_of_its_package(
    package: str, distributions: dict[str, Path], tmp_path: Path
) -> None:
    folder = distributions[package]
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    carried = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ours = {
        str(path.relative_to(folder))
        for path in (folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert carried == ours
    assert {name for name in DATA if name.startswith(f"{package}/")} <= carried


def test_every_service_of_ours_is_as_closed_as_the_others(root: Path, services: dict[str, dict]) -> None:
    ours = {name: service for name, service in services.items() if "build" in service}
    assert set(ours) == {"gateway-postgres", "gateway-ssh", "gateway-http", "gateway-k8s", "desk", "witness"}
    for name, service in ours.items():
        assert service["build"] == {"context": ".", "dockerfile": service["build"]["dockerfile"]}, name
        assert service["build"]["dockerfile"] in DOCKERFILES
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["tmpfs"] == ["/tmp"], name
        assert not {"user", "privileged", "network_mode", "pid", "cap_add", "devices"} & set(service), name
        assert service["restart"] == "unless-stopped", name
    assert {service["build"]["dockerfile"] for service in ours.values()} == set(DOCKERFILES)


def test_no_service_sees_what_is_anothers(services: dict[str, dict]) -> None:
    """Each has a volume of its own; the desk reads the log of the gateway before it, and a witness nothing."""
    owners: dict[str, list[str]] = {}
    for name, service in services.items():
        for volume in service.get("volumes", ()):
            if isinstance(volume, str) and not volume.startswith("./"):
                owners.setdefault(volume.partition(":")[0], []).append(name)
            elif isinstance(volume, str):
                assert volume.endswith(":/etc/doorward:ro")
    assert all(len(names) == 1 for names in owners.values()), owners
    shared = [
        (name, volume)
        for name, one in services.items()
        for volume in one.get("volumes", ())
        if isinstance(volume, dict)
    ]
    assert [(name, volume["source"], volume["read_only"], volume["volume"]) for name, volume in shared] == [
        ("desk", "gateway-state", True, {"subpath": "log"})
    ]
    assert services["desk"]["depends_on"] == {"gateway-postgres": {"condition": "service_healthy"}}
    folders = [volume for one in services.values() for volume in one.get("volumes", ()) if str(volume).startswith("./")]
    assert len(folders) == len(set(folders)) == 6


def test_the_witness_is_asked_for_its_health_where_it_listens(services: dict[str, dict]) -> None:
    test = services["witness"]["healthcheck"]["test"]
    assert test[:3] == ["CMD", "python", "-c"]
    compile(test[3], "healthcheck", "exec")
    assert "('127.0.0.1', 8465, " in test[3]
    assert "'/healthz'" in test[3]


def test_every_page_of_the_documents_is_named_where_people_look(root: Path) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    pages = [path.relative_to(root) for path in (*(root / "docs").glob("*.md"), *(root / "docs/spec").glob("*.md"))]
    assert len(pages) > 20
    assert [str(page) for page in sorted(pages) if f"({page})" not in readme] == []


# --- the files that the documents tell operators to write ------------------------------------------------------------


def _examples(root: Path) -> dict[str, str]:
    """By path: YAML in the documents that begins with `# deploy/...`."""
    found = {}
    for document in sorted((root / "docs").glob("*.md")):
        for block in re.findall(
            r"^```yaml\n(# deploy/.+?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            found[block.partition("\n")[0].removeprefix("# ")] = block
    return found


@pytest.fixture
def written(root: Path, tmp_path: Path):
    """The examples, in a folder each, with the files beside them that they name."""
    for path, text in _examples(root).items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text.replace("AbCd...", ""))
        for name in ("tls.crt", "tls.key", "policy.yaml", "gateway.crt", "known_hosts", "app.password"):
            (place.parent / name).touch()
    return tmp_path / "deploy"


@pytest.mark.parametrize("name", ["gateway.yaml", "ssh/gateway.yaml", "http/gateway.yaml"])
def test_the_gateways_of_the_documents_load(written: Path, services: dict[str, dict], name: str) -> None:
    config = load_config(written / name, MODELS)
    service = services[f"gateway-{PurePosixPath(name).parent.name or 'postgres'}"]
    inside = {int(port.partition(":")[2]) for port in service["ports"]}
    assert {config.listen[0].port, config.approvals.listen.port} == inside
    assert (config.admin.address, config.admin.port) == ("127.0.0.1", 9464)
    for path in (config.record.folder, config.record.keys, config.approvals.store):
        assert str(path).startswith(f"{STATE}/")


def test_the_desk_of_the_documents_loads(written: Path, services: dict[str, dict]) -> None:
    settings = load_settings(written / "desk/desk.yaml")
    service = services["desk"]
    (ports,) = service["ports"]
    assert ports.partition(":")[2] == str(settings.listen.port)
    assert settings.url.endswith(f":{ports.partition(':')[0]}")
    (gateway,) = settings.gateways.values()
    assert gateway.control == "https://gateway-postgres:9465"
    assert str(gateway.log) == service["volumes"][2]["target"]
    for path in (settings.record.folder, settings.record.keys, settings.index):
        assert str(path).startswith(f"{STATE}/")


def test_the_witness_of_the_documents_loads(written: Path, services: dict[str, dict]) -> None:
    path = written / "witness/witness.yaml"
    text = re.sub(
        r'\["pg-gateway.example\+.*"\]', f'["{make_vkey("pg-gateway.example", bytes(32))}"]', path.read_text()
    )
    path.write_text(text)
    settings = load_witness_settings(path)
    assert services["witness"]["ports"] == [f"{settings.listen.port}:{settings.listen.port}"]
    assert settings.listen.address == "0.0.0.0"
    assert str(settings.state).startswith(f"{STATE}/")
