"""A container holds core and one proxy, nothing else: what each distribution imports, it declares and carries.

Each closure is copied into an empty folder and imported whole by a fresh interpreter that sees only that folder and
the third-party packages of the distribution's own lock: whatever else it asks for is not there.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CLOSURES = {
    "core alone": (["doorward_core"], "core/requirements.lock"),
    "the PostgreSQL gateway": (["doorward_core", "doorward_postgres"], "proxies/postgres/requirements.lock"),
    "the SSH gateway": (["doorward_core", "doorward_ssh"], "proxies/ssh/requirements.lock"),
    "the HTTP gateway": (["doorward_core", "doorward_http"], "proxies/http/requirements.lock"),
    "the Kubernetes gateway": (["doorward_core", "doorward_k8s"], "proxies/k8s/requirements.lock"),
    "the console": (["doorward_core", "doorward_console"], "console/requirements.lock"),
}

# Rooms of core that stand on an extra: where a container does not carry its library, nothing there imports the room.
ROOMS_OF_EXTRAS = {"sql": "postgast", "shell": "tree-sitter", "http": "httptools"}

# Imported by the name of one distribution, pinned by another that it is the other half of.
COMES_WITH = {"pydantic_core": "pydantic", "google": "postgast", "markupsafe": "jinja2"}

# Run by the fresh interpreter: import every module below the folder, while what the container does not carry cannot be
# found (some packages try for others that they can do without), then say what was loaded and from where.
IMPORT_ALL = """
import importlib, json, pathlib, sys
here, site_packages, absent = sys.argv[1:]
absent = set(json.loads(absent))
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not carried", name=name)
sys.meta_path.insert(0, Absent())
sys.path += [here, site_packages]
for path in sorted(pathlib.Path(here).rglob("*.py")):
    parts = path.relative_to(here).with_suffix("").parts
    importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
print(json.dumps({name: module.__file__ for name, module in sys.modules.items() if name.startswith("doorward")
                  and "." not in name}))
"""


def _locked(lock: Path) -> set[str]:
    names = re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE)
    return {canonicalize_name(name) for name in names}


@pytest.mark.parametrize("closure", CLOSURES)
def test_a_container_imports_nothing_that_it_does_not_carry(
    closure: str, root: Path, distributions: dict[str, Path], tmp_path: Path
) -> None:
    packages, lock = CLOSURES[closure]
    absent_rooms = [room for room, library in ROOMS_OF_EXTRAS.items() if library not in _locked(root / lock)]
    for package in packages:
        ignore = shutil.ignore_patterns("__pycache__", *absent_rooms)
        shutil.copytree(distributions[package] / package, tmp_path / package, ignore=ignore)
    carried = _locked(root / lock)
    owners = {name: set(map(canonicalize_name, found)) for name, found in packages_distributions().items()}
    absent = sorted(name for name, found in owners.items() if not found & carried and name not in packages)
    assert "pytest" in absent
    # -I and -S: no environment, no working directory, and none of the .pth files that put the workspace on the path.
    arguments = [str(tmp_path), sysconfig.get_path("purelib"), json.dumps(absent)]
    command = [sys.executable, "-I", "-S", "-c", IMPORT_ALL, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    ours = json.loads(done.stdout.splitlines()[-1])
    assert set(ours) == set(packages)
    assert all(Path(path).is_relative_to(tmp_path) for path in ours.values())


def _declared(folder: Path) -> set[str]:
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project.get("dependencies", []), *chain(*project.get("optional-dependencies", {}).values())]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def _top_level_imports(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_what_is_imported_is_declared_or_comes_with_core(
    sources: tuple[Any, ...], distributions: dict[str, Path]
) -> None:
    """A proxy may lean on core's own dependencies (trio, pydantic): core pins them for everyone."""
    owners = packages_distributions()
    ours = {package: canonicalize_name(package.replace("_", "-")) for package in distributions}
    declared = {package: _declared(folder) | {ours[package]} for package, folder in distributions.items()}
    faults = []
    for source in sources:
        allowed = declared[source.package] | declared["doorward_core"]
        for name in _top_level_imports(source.tree) - set(sys.stdlib_module_names):
            homes = {canonicalize_name(owner) for owner in owners.get(name, [])} | {
                ours.get(name, COMES_WITH.get(name, name))
            }
            if not homes & allowed:
                faults.append(f"{source.shown}: {name}")
    assert sorted(faults) == []
