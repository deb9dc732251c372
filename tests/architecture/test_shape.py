"""Files and functions stay small enough to be read whole, packages stay empty, and names say what is inside."""

import ast
import sys
import tomllib
from pathlib import Path
from typing import Any

MAX_FILE_LINES = 400
MAX_MACHINE_LINES = 500  # wire formats and state machines are tables: splitting one hides its shape
MAX_FUNCTION_LINES = 40  # of code: a docstring is not counted, so that nobody saves on it
# module -> why it may catch everything: elsewhere that would hide a defect.
SUPERVISORS = {
    "doorward_core.net.attend": "what the taker of one connection raises is raised again, in that connection's task",
    "doorward_core.net.listen": "one connection's failure must not touch another",
    "doorward_console.web.connections": "the same, of browsers: the library under it lets one failure end the server",
}
# module -> why it is longer than any other may be, and how long.
ALONE = {
    "doorward_console.evidence.verify": (1850, "one file by promise: an auditor takes it to a machine with Python")
}
VAGUE = {"utils", "util", "common", "helpers", "helper", "misc", "base"}


def _ceiling(module: str, path: Path) -> int:
    if module in ALONE:
        return ALONE[module][0]
    tabular = any(path.stem == word or path.stem.startswith(f"{word}_") for word in ("wire", "machine"))
    return MAX_MACHINE_LINES if tabular else MAX_FILE_LINES


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    has_docstring = ast.get_docstring(node) is not None
    prose = (first.end_lineno or first.lineno) - first.lineno + 1 if has_docstring else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - prose


def test_no_file_is_longer_than_its_ceiling(sources: tuple[Any, ...]) -> None:
    lengths = {
        source.shown: (len(source.text.splitlines()), _ceiling(source.module, source.path)) for source in sources
    }
    assert {path: pair for path, pair in lengths.items() if pair[0] > pair[1]} == {}


def test_no_function_is_longer_than_its_ceiling(sources: tuple[Any, ...]) -> None:
    faults = [
        f"{source.shown}:{node.lineno}: {node.name} has {_code_lines(node)} lines"
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _code_lines(node) > MAX_FUNCTION_LINES
    ]
    assert not faults, "\n".join(faults)


def test_package_files_are_empty(sources: tuple[Any, ...]) -> None:
    assert [source.shown for source in sources if source.path.name == "__init__.py" and source.text.strip()] == []


def test_every_module_says_what_it_is(sources: tuple[Any, ...]) -> None:
    silent = [source.shown for source in sources if source.text.strip() and not ast.get_docstring(source.tree)]
    assert silent == []


def test_no_module_has_a_name_that_says_nothing(sources: tuple[Any, ...]) -> None:
    assert [source.shown for source in sources if VAGUE & set(source.module.split("."))] == []


def test_imports_are_absolute(sources: tuple[Any, ...]) -> None:
    relative = [
        f"{source.shown}:{node.lineno}"
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def _swallows_everything(handler: ast.ExceptHandler) -> bool:
    """Whether it catches every exception and does not end by raising it again, as a clean-up does."""
    wide = {"Exception", "BaseException"}
    caught = handler.type is None or wide & {ast.unparse(part) for part in ast.walk(handler.type)}
    last = handler.body[-1]
    return bool(caught) and not (isinstance(last, ast.Raise) and last.exc is None)


def test_only_the_supervisors_catch_everything(sources: tuple[Any, ...]) -> None:
    faults = [
        f"{source.shown}:{node.lineno}"
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler) and _swallows_everything(node) and source.module not in SUPERVISORS
    ]
    assert not faults, f"caught too widely: {faults}"


def test_nothing_that_goes_on_the_path_shadows_the_standard_library(root: Path, distributions: dict[str, Path]) -> None:
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    on_path = [root / folder for folder in settings["tool"]["mypy"]["mypy_path"]]
    assert sorted(on_path) == sorted(distributions.values())
    for folder in on_path:
        names = {path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"}
        assert not names & set(sys.stdlib_module_names), f"{folder.relative_to(root)} shadows the standard library"
