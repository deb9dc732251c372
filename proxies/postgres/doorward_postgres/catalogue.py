"""The catalogue of one resource, kept fresh: a shell around `doorward_core.sql.catalog_load`.

What it is: one snapshot shared by every session of a resource, and the masks of each policy resolved against it.
What it will not do: use a client's connection. It logs in for itself, with the catalogue account.

Invariants: one load at a time, whoever asks; a load that fails leaves the old snapshot, and without one every decision
that needs it is refused; once a session has changed definitions (`outdate`), nobody is given a snapshot that was begun
before, and where a new one cannot be read there is none.
Cancelled, a load goes on in its thread to no effect.
"""

import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import pg8000.exceptions
import structlog
import trio

from doorward_core.errors import GatewayError
from doorward_core.mask.detect import Detectors, detectors_for
from doorward_core.mask.select import column_masks
from doorward_core.model import Mask
from doorward_core.sql.catalog import Catalog
from doorward_core.sql.catalog_load import Connection, load_catalog
from doorward_postgres.operations import View
from doorward_postgres.readings import Readings

REFRESH_S: Final = 60.0  # what others define at the target is seen after this at the latest
MAX_VIEWS: Final = 256  # sets of masks remembered; one for each group of identities that masks tell apart

log = structlog.get_logger()


class Catalogue:
    """Use `current` for the snapshot, `view` for it with some identity's masks resolved."""

    def __init__(self, resource: str, connect: Callable[[], Connection]) -> None:
        self._resource = resource
        self._connect = connect
        self._catalog: Catalog | None = None
        self._begun_s = -REFRESH_S
        self._snapshot_s = -REFRESH_S  # when the one we have was begun; less than `_begun_s` after a load that failed
        self._outdated_s = -REFRESH_S
        self._turn = trio.Lock()
        self._views: OrderedDict[tuple[Mask, ...], View] = OrderedDict()
        self._detectors: OrderedDict[tuple[Mask, ...], Detectors | None] = OrderedDict()
        self._shared = Readings()
        self._version = 0
        self.problem = "not read yet"

    async def current(self) -> Catalog | None:
        """The snapshot; read for the first time, or again once it is old. None while the target cannot be read."""
        oldest_s = max(trio.current_time() - REFRESH_S, self._outdated_s)
        if self._begun_s <= oldest_s:
            await self._load(oldest_s)
        if self._snapshot_s <= self._outdated_s:
            self._catalog = None  # it could not be read since, and what we had is known to be wrong
        return self._catalog

    def fresh(self, now_s: float) -> Catalog | None:
        """What `current` would give without reading anything; None where it would read."""
        oldest_s = max(now_s - REFRESH_S, self._outdated_s)
        return self._catalog if self._begun_s > oldest_s and self._snapshot_s > self._outdated_s else None

    def outdate(self) -> None:
        """Some session has changed definitions: what was read until now may no longer be true."""
        self._outdated_s = trio.current_time()

    async def refresh(self) -> bool:
        """Read again; tell whether the snapshot was begun after this call."""
        asked_s = trio.current_time()
        await self._load(asked_s)
        return self._snapshot_s >= asked_s

    async def newer_than(self, age_s: float) -> bool:
        """Read again if the snapshot is older than this; tell whether there is one with other contents."""
        before = self._catalog
        await self._load(trio.current_time() - age_s)
        return self._catalog is not before

    def view(self, masks: tuple[Mask, ...]) -> View:
        """The snapshot with these masks resolved against it."""
        known = self._views.get(masks)
        if known is not None and known.catalog is self._catalog:
            return known
        catalog = self._catalog
        resolved: Mapping[int, Mapping[int, Mask]] = {}
        if catalog is not None:
            resolved = column_masks(
                masks,
                (
                    (one.oid, f"{one.schema}.{one.name}", tuple((column.attnum, column.name) for column in one.columns))
                    for one in catalog.relations
                ),
            )
        self._version += 1
        view = self._views[masks] = View(catalog, resolved, self._version, shared=self._shared)
        if len(self._views) > MAX_VIEWS:
            self._views.popitem(last=False)
        return view

    def detectors(self, masks: tuple[Mask, ...]) -> Detectors | None:
        """The content detectors that these masks ask for, compiled once; None where they ask for none."""
        if masks not in self._detectors:
            self._detectors[masks] = detectors_for(masks)
            if len(self._detectors) > MAX_VIEWS:
                self._detectors.popitem(last=False)
        return self._detectors[masks]

    async def _load(self, not_before_s: float) -> None:
        async with self._turn:
            if self._begun_s > not_before_s:
                return  # somebody else has read it while we waited
            begun = trio.current_time()
            try:
                read = partial(load_catalog, self._connect, self._catalog)
                self._catalog = await trio.to_thread.run_sync(read, abandon_on_cancel=True)
            except (pg8000.exceptions.Error, GatewayError, OSError, ValueError, struct.error) as error:
                self.problem = type(error).__name__
                log.warning("catalogue.unreadable", resource=self._resource, problem=self.problem)
            else:
                self.problem = ""
                self._snapshot_s = begun
            self._begun_s = begun
