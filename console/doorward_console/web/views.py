"""Templates, and how values become text in them.

What it is: the Jinja2 environment of every page, with escaping always on, and its filters.
What it will not do: mark anything as safe that came from outside. `marked` writes the one kind of markup that is made
here, around text that it has escaped itself.

Invariants: a name that a template does not know is an error, never an empty text; whatever somebody wrote is shown with
its invisible, directional and control characters written out (threat model AP-04, SSH-14).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import jinja2

from doorward_console.web.assets import Assets
from doorward_console.web.marks import marked
from doorward_core.approvals.flags import visible

TEMPLATES: Final = Path(__file__).parent / "templates"
_NS_PER_S: Final = 1_000_000_000
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86400
_LAST_S: Final = 253_402_300_799  # the end of the year 9999


class Views:
    """Every template of the desk."""

    def __init__(self, assets: Assets) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(asset=assets.address)
        self._environment.filters.update(
            line=line, lines=visible, marked=marked, moment=moment, clock=clock, stamp=stamp, span=span, count=count
        )

    def render(self, template: str, values: Mapping[str, object]) -> str:
        """One page, or one piece of a page."""
        return self._environment.get_template(template).render(values)


def line(text: object) -> str:
    """Text within a line, made visible; escaping is the environment's."""
    return visible(str(text), lines=False)


def moment(unix_ns: int) -> str:
    """A day and a time, in UTC."""
    return f"{_at(unix_ns):%Y-%m-%d %H:%M:%S} UTC" if unix_ns else "-"


def clock(unix_ns: int) -> str:
    """A time of day, in UTC."""
    return f"{_at(unix_ns):%H:%M:%S}" if unix_ns else "-"


def stamp(unix_ns: int) -> str:
    """A time for the `datetime` of a `<time>`."""
    return f"{_at(unix_ns):%Y-%m-%dT%H:%M:%SZ}"


def _at(unix_ns: int) -> datetime:
    """A time that some gateway or log said: one that no calendar has is the last, or the first, that it has."""
    return datetime.fromtimestamp(min(max(unix_ns // _NS_PER_S, 0), _LAST_S), UTC)


def span(duration_ns: int) -> str:
    """A duration in the one or two largest units that say something."""
    seconds = max(0, duration_ns) // _NS_PER_S
    if seconds < _MINUTE_S:
        return f"{seconds} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S} min" + (f" {seconds % _MINUTE_S} s" if seconds % _MINUTE_S else "")
    if seconds < _DAY_S:
        minutes = seconds % _HOUR_S // _MINUTE_S
        return f"{seconds // _HOUR_S} h" + (f" {minutes} min" if minutes else "")
    hours = seconds % _DAY_S // _HOUR_S
    return f"{seconds // _DAY_S} d" + (f" {hours} h" if hours else "")


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 line`, `12 lines`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
