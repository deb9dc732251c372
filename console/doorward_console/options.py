"""Options that several commands share: declared once, as the fields of a dataclass, and taken as one argument.

What it is: `shared`, which gives a command the options of each such argument, and hands them to it together.
What must be given stands where the argument stands; what may be left out comes behind the command's own options, so
that help tells first what is needed.
What it will not do: know any option.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeAlias, get_type_hints

Command: TypeAlias = Callable[..., None]


def shared(**defaults: object) -> Callable[[Command], Command]:
    """Take the options of dataclasses as single arguments; `defaults` are this command's own for some of them."""

    def decorate(command: Command) -> Command:
        types = get_type_hints(command, include_extras=True)
        groups: dict[str, Any] = {name: kind for name, kind in types.items() if is_dataclass(kind)}
        first: list[inspect.Parameter] = []
        last: list[inspect.Parameter] = []
        for parameter in inspect.signature(command).parameters.values():
            for option in _options(groups[parameter.name], defaults) if parameter.name in groups else (parameter,):
                needed = option is parameter or option.default is inspect.Parameter.empty
                (first if needed else last).append(option)

        @functools.wraps(command)
        def run(**given: Any) -> None:
            together = {
                name: kind(**{one.name: given.pop(one.name) for one in fields(kind)}) for name, kind in groups.items()
            }
            command(**given, **together)

        signature = inspect.Signature([*first, *last])
        run.__signature__ = signature  # type: ignore[attr-defined] # what typer reads
        run.__annotations__ = {name: types.get(name, one.annotation) for name, one in signature.parameters.items()}
        return run

    return decorate


def _options(kind: Any, defaults: dict[str, object]) -> list[inspect.Parameter]:
    types = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults.get(one.name, inspect.Parameter.empty if one.default is MISSING else one.default),
            annotation=types[one.name],
        )
        for one in fields(kind)
    ]
