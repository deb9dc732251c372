"""What we stand on may be used: no GPL, AGPL or SSPL anywhere, and no LGPL in anything that ships.

The licence is what the installed distribution says of itself: its SPDX expression, else its classifiers, else its
licence field, else the title of its licence file.
"""

import re
from importlib.metadata import Distribution, distribution, distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SHIPPED = (
    "doorward-core[sql,shell,http]",
    "doorward-postgres",
    "doorward-ssh",
    "doorward-http",
    "doorward-k8s",
    "doorward-console",
)
ALLOWED = re.compile(
    r"\b(MIT(-0)?|Apache|BSD|0BSD|ISC|ISCL|PSF|Python Software Foundation|MPL|Mozilla|PostgreSQL|Unlicense|Zlib|EPL|Eclipse)",
    re.IGNORECASE,
)
FORBIDDEN = re.compile(
    r"(?<!L)\bA?GPL|\bSSPL|Affero|Server Side Public|(?<!Lesser )General Public License", re.IGNORECASE
)
LESSER = re.compile(r"LGPL|Lesser General Public", re.IGNORECASE)
MAX_FIELD_CHARS = 200  # some put the whole text into the field: its title is enough


def _field(dist: Distribution, name: str) -> str:
    return "; ".join(dist.metadata.get_all(name) or [])


def _licence(dist: Distribution) -> str:
    meta = dist.metadata
    expression = _field(dist, "License-Expression")
    classifiers = [line.split("::")[-1].strip() for line in meta.get_all("Classifier") or [] if "License ::" in line]
    classifiers = [one for one in classifiers if one != "OSI Approved"]  # says nothing by itself
    field = _field(dist, "License")[:MAX_FIELD_CHARS]
    return _chosen(expression or "; ".join(classifiers) or field or _file_title(dist))


def _chosen(licence: str) -> str:
    """Of `A OR B` the first that is not barred: the choice is ours (NOTICE says which was made)."""
    return next((one for one in licence.split(" OR ") if not FORBIDDEN.search(one)), licence)


def _file_title(dist: Distribution) -> str:
    names = dist.metadata.get_all("License-File") or []
    texts = (dist.read_text(f"licenses/{name}") or dist.read_text(name) or "" for name in names)
    return "; ".join(text.strip()[:MAX_FIELD_CHARS] for text in texts)


def _closure(*roots: str) -> dict[str, Distribution]:
    """Everything that `roots` need on this machine, by canonical name, themselves left out."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(root) for root in roots]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if (name, frozenset(wanted.extras)) in seen:
            continue
        seen.add((name, frozenset(wanted.extras)))
        dist = found.setdefault(name, distribution(name))
        for line in dist.requires or []:
            needed = Requirement(line)
            extras = wanted.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return {name: dist for name, dist in found.items() if not name.startswith("doorward-")}


def test_what_ships_is_permissive() -> None:
    closure = _closure(*SHIPPED)
    assert {"trio", "pyjwt", "postgast", "scramp"} <= set(closure)
    licences = {name: _licence(dist) for name, dist in closure.items()}
    unknown = {name: text for name, text in licences.items() if not ALLOWED.search(text)}
    barred = {name: text for name, text in licences.items() if FORBIDDEN.search(text) or LESSER.search(text)}
    assert unknown == {}
    assert barred == {}


def test_no_tool_is_under_a_licence_that_is_barred() -> None:
    installed = {canonicalize_name(dist.name): _licence(dist) for dist in distributions()}
    assert {name: text for name, text in installed.items() if FORBIDDEN.search(text)} == {}


def test_lesser_licences_stay_with_the_tests_and_the_demonstration() -> None:
    lesser = {canonicalize_name(dist.name) for dist in distributions() if LESSER.search(_licence(dist))}
    assert lesser <= {"paramiko", "psycopg", "psycopg-binary", "psycopg2-binary"}
    assert not lesser & set(_closure(*SHIPPED))


def test_the_rule_can_fail() -> None:
    assert FORBIDDEN.search("GNU General Public License v3 (GPLv3)")
    assert FORBIDDEN.search("AGPL-3.0-only")
    assert FORBIDDEN.search("MIT AND GPL-2.0-or-later")
    assert not FORBIDDEN.search("GNU Lesser General Public License v3 (LGPLv3)")
    assert not FORBIDDEN.search("LGPL-3.0-only")
    assert _chosen("EPL-2.0 OR GPL-2.0-or-later") == "EPL-2.0"
    assert FORBIDDEN.search(_chosen("AGPL-3.0-only OR GPL-2.0-or-later"))
    assert not ALLOWED.search("UNKNOWN")
    assert not ALLOWED.search("Proprietary")


def test_every_distribution_here_is_apache_licensed() -> None:
    for name in (
        "doorward-core",
        "doorward-postgres",
        "doorward-ssh",
        "doorward-http",
        "doorward-k8s",
        "doorward-console",
        "doorward-demo",
    ):
        assert distribution(name).metadata["License-Expression"] == "Apache-2.0"
