"""From a parsed message and a session's context to what each statement does: the entrance of this room.

It asks no server, keeps no state, and never raises for anything that `doorward_core.sql.parse` could read.
It implements ARCHITECTURE.md, "Deciding on SQL"; threat model PG-01 to PG-10, PG-20 to PG-29, PG-80, PG-81, PG-83.

Invariants: every statement has at least one atom; what no handler met makes the statement incomplete; an incomplete
statement proves no column and is never pure; a statement after one that changes what names mean is read under that
change, or is incomplete where the change cannot be told.
"""

from dataclasses import dataclass, replace

from doorward_core.model import Action, Atom, Target
from doorward_core.sql.analysis import Context, CopyInfo, OutputColumn, StatementAnalysis
from doorward_core.sql.budget import Budget, TooIntricate, message_budget
from doorward_core.sql.copying import outputs_of
from doorward_core.sql.found import Found, Names
from doorward_core.sql.lineage import MaskTable
from doorward_core.sql.names import split_path
from doorward_core.sql.nested import check_census
from doorward_core.sql.parse import ParsedMessage, ParsedStatement
from doorward_core.sql.session import (
    ChangeCatalog,
    CloseCursor,
    Commit,
    Deallocate,
    Declare,
    Discard,
    MakeTemporary,
    Opaque,
    Prepare,
    ResetAll,
    Rollback,
    RollbackTo,
    SessionEffect,
    SetSetting,
)
from doorward_core.sql.setting_queries import name_chosen_setting, name_shown_setting, read_path_setting
from doorward_core.sql.settings import ROLE_SETTINGS
from doorward_core.sql.statements import dispatch
from doorward_core.sql.views import READERS
from doorward_core.sql.work import Lens, Work

__all__ = ["Context", "CopyInfo", "OutputColumn", "StatementAnalysis", "analyze"]

_UNCERTAIN = "what names mean here depends on something that cannot be told before it has happened"


@dataclass(slots=True)
class _Running:
    """The context as it stands after the statements of the message so far."""

    path: tuple[str, ...]
    prepared: dict[str, str]
    cursors: dict[str, str]
    temp_names: frozenset[str]
    uncertain: bool
    settled: bool
    budget: Budget


def analyze(message: ParsedMessage, context: Context) -> tuple[StatementAnalysis, ...]:
    """Say what each statement of the message does, in order."""
    running = _Running(
        context.search_path,
        dict(context.prepared),
        dict(context.cursors),
        context.temp_names,
        context.uncertain,
        context.settled,
        message_budget(len(message.text)),
    )
    found = []
    for statement in message.statements:
        analysis = _one(statement, context, running)
        found.append(analysis)
        if len(message.statements) > 1:
            _apply(analysis, running)
    return tuple(found)


def _lens(context: Context, running: _Running) -> Lens:
    key = ("lens", running.path, running.temp_names)
    lens = context.memo.get(key)
    if not isinstance(lens, Lens):
        masks = context.memo.get("masks")
        if not isinstance(masks, MaskTable):
            masks = context.memo["masks"] = MaskTable(context.masked)
        lens = context.memo[key] = Lens(
            context.catalog, running.path, masks, READERS, temp_names=running.temp_names, memo=context.memo
        )
    return lens


def _one(statement: ParsedStatement, context: Context, running: _Running) -> StatementAnalysis:
    work = Work(_lens(context, running), running.budget)
    names = Names(running.prepared, running.cursors, statement.text, 0, dispatch)
    found = Found()
    try:
        node = getattr(statement.tree, statement.kind)
        setting = read_path_setting(node, work) if statement.kind == "select_stmt" else None
        found = setting or dispatch(statement.kind, node, work, names)
        if statement.kind == "select_stmt" and setting is None:
            name_chosen_setting(node, work)
            name_shown_setting(node, work)
    except TooIntricate:
        work.unknown(statement.verb, "the statement is too intricate to be read: its names multiply")
    except RecursionError:
        work.unknown(statement.verb, "the statement is nested too deeply to be read")
    check_census(statement, work)
    if running.uncertain and (found.inner or _uses_names(work)):
        work.incomplete(_UNCERTAIN)
        work.absent = ""
        work.reaches_masked = True
    return _answer(statement, work, found)


def _uses_names(work: Work) -> bool:
    return bool(
        work.seen_relations or work.seen_functions or work.seen_operators or work.seen_types
        or any(atom.action is not Action.SESSION for atom in work.atoms)
    )  # fmt: skip


def _answer(statement: ParsedStatement, work: Work, found: Found) -> StatementAnalysis:
    atoms = dict.fromkeys((*work.read_atoms(), *work.atoms))
    if not atoms:
        atoms = {Atom(Action.SESSION, Target("statement", statement.verb)): None}
    outputs = None if found.shape is None else outputs_of(found.shape, work)
    copy = found.copy
    if copy is not None and copy.outputs is not None and not work.complete:
        copy = replace(copy, outputs=None)
    returns = found.shape is not None or (copy is not None and copy.end == "stdout")
    return StatementAnalysis(
        verb=statement.verb,
        atoms=tuple(atoms),
        complete=work.complete,
        problem=work.problem,
        pure=work.pure and work.complete,
        effect=found.effect,
        reads=frozenset(work.reads),
        touches_masked=work.reaches_masked and not work.lens.masks.empty,
        outputs=outputs,
        returns_rows=returns,
        copy=copy,
        inner=found.inner,
        absent=work.absent,
        stands_for=tuple((*key, text) for key, text in sorted(work.stands_for.items())),
    )


def _apply(analysis: StatementAnalysis, running: _Running) -> None:
    """Carry a statement's effect over to the ones after it in the same message."""
    if any(atom.action in {Action.EXECUTE, Action.UNKNOWN} for atom in analysis.atoms):
        running.uncertain = True
    effect = analysis.effect
    if effect is not None:
        _apply_effect(effect, running)


def _apply_effect(effect: SessionEffect, running: _Running) -> None:
    if isinstance(effect, Commit | Rollback | RollbackTo):
        running.uncertain = running.uncertain or not running.settled
        if not isinstance(effect, Commit):
            running.cursors.clear()
    elif isinstance(effect, Prepare | Deallocate | Declare | CloseCursor):
        _apply_name(effect, running)
    elif isinstance(effect, MakeTemporary):
        running.temp_names |= {effect.name}
    elif isinstance(effect, ChangeCatalog | Opaque | ResetAll | Discard):
        running.uncertain = True
        if isinstance(effect, Discard):
            running.prepared.clear()
            running.cursors.clear()
    elif isinstance(effect, SetSetting):
        if effect.name == "search_path":
            _apply_path(effect, running)
        elif effect.name in ROLE_SETTINGS:
            running.uncertain = True


def _apply_name(effect: Prepare | Deallocate | Declare | CloseCursor, running: _Running) -> None:
    if isinstance(effect, Prepare):
        running.prepared[effect.name] = effect.text
    elif isinstance(effect, Declare):
        running.cursors[effect.cursor] = effect.text
    elif isinstance(effect, Deallocate):
        _forget(running.prepared, effect.name)
    else:
        _forget(running.cursors, effect.name)


def _apply_path(effect: SetSetting, running: _Running) -> None:
    """A search_path that names "$user", or that returns to its default, is not known here."""
    parts = None if effect.value is None else split_path(effect.value)
    running.settled = False
    # A cursor goes on as it was opened; its text, read under another path, would say something else.
    running.cursors.clear()
    if parts is None or "$user" in parts:
        running.uncertain = True
    else:
        running.path = parts


def _forget(names: dict[str, str], name: str | None) -> None:
    if name is None:
        names.clear()
    else:
        names.pop(name, None)
