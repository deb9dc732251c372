"""A container holds core and one proxy, nothing else: what each distribution imports, it declares and carries.

Each closure is copied into an empty folder and imported whole by a fresh interpreter that sees only that folder and
the third-party packages; whatever came in from outside the distribution's own lock is a fault.
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
    "the console": (["doorward_core", "doorward_console"], "console/requirements.lock"),
}

# Imported by the name of one distribution, pinned by another that it is the other half of.
COMES_WITH = {"pydantic_core": "pydantic", "google": "postgast"}

# Run by the fresh interpreter: import every module below the folder, then say what was loaded and from where.
IMPORT_ALL = """
import importlib, json, pathlib, sys
here, site_packages = sys.argv[1:]
sys.path += [here, site_packages]
for path in sorted(pathlib.Path(here).rglob("*.py")):
    parts = path.relative_to(here).with_suffix("").parts
    importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
loaded = {name.partition(".")[0] for name, module in sys.modules.items() if getattr(module, "__file__", None)}
ours = {name: sys.modules[name].__file__ for name in loaded if name.startswith("doorward")}
print(json.dumps({"loaded": sorted(loaded), "ours": ours}))
"""


def _locked(lock: Path) -> set[str]:
    names = re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE)
    return {canonicalize_name(name) for name in names}


@pytest.mark.parametrize("closure", CLOSURES)
def test_a_container_imports_nothing_that_it_does_not_carry(
    closure: str, root: Path, distributions: dict[str, Path], tmp_path: Path
) -> None:
    packages, lock = CLOSURES[closure]
    for package in packages:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(distributions[package] / package, tmp_path / package, ignore=ignore)
    # -I and -S: no environment, no working directory, and none of the .pth files that put the workspace on the path.
    command = [sys.executable, "-I", "-S", "-c", IMPORT_ALL, str(tmp_path), sysconfig.get_path("purelib")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert set(said["ours"]) == set(packages)
    assert all(Path(path).is_relative_to(tmp_path) for path in said["ours"].values())
    owners = packages_distributions()
    foreign = {
        canonicalize_name(owner)
        for name in said["loaded"]
        if name not in sys.stdlib_module_names and name not in packages
        for owner in owners.get(name, [])
    }
    assert foreign - _locked(root / lock) == set()


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
