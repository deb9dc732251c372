"""Only the gate makes a Permit: a Permit is the proof that the order was kept, so nothing else may mint one."""

import ast
from typing import Any, TypeGuard

GATE = "doorward_core.session_gate"
HOME = "doorward_core.model"


def _renames(node: ast.AST) -> TypeGuard[ast.Assign | ast.ClassDef]:
    values: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        values = [node.value]
    elif isinstance(node, ast.ClassDef):
        values = node.bases
    return any(ast.unparse(value).split(".")[-1] == "Permit" for value in values)


def _mints(tree: ast.Module) -> list[int]:
    """Give the lines that build a Permit, copy one with changes, or rename it so that this test would not see it."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            first = ast.unparse(node.args[0]).lower() if node.args else ""
            copies = called.split(".")[-1] in {"replace", "copy", "deepcopy"} and "permit" in first
            if called.split(".")[-1] == "Permit" or copies or ("__new__" in called and "permit" in first):
                lines.append(node.lineno)
        elif isinstance(node, ast.ImportFrom):
            lines += [node.lineno for name in node.names if name.name == "Permit" and name.asname]
        elif _renames(node):
            lines.append(node.lineno)
    return lines


def test_only_the_gate_makes_a_permit(sources: tuple[Any, ...]) -> None:
    faults = [
        f"{source.shown}:{line}"
        for source in sources
        if source.module not in {GATE, HOME}
        for line in _mints(source.tree)
    ]
    assert not faults, f"a Permit is made outside {GATE}: {faults}"


def test_the_gate_makes_permits(sources: tuple[Any, ...]) -> None:
    assert any(_mints(source.tree) for source in sources if source.module == GATE)


def test_the_rule_can_fail() -> None:
    fouls = (
        "Permit(operation, decision, 0, 0)",
        "model.Permit(operation, decision, 0, 0)",
        "from doorward_core.model import Permit as Leave",
        "Leave = Permit",
        "dataclasses.replace(permit, early=True)",
        "object.__new__(Permit)",
        "class Mine(Permit): ...",
    )
    assert all(_mints(ast.parse(text)) for text in fouls)
