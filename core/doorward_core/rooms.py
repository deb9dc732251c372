"""The rooms of a running gateway, opened in order and closed in the other: keys, log, approvals, identity, gate.

What it is: configuration in, a `Room` out, which is all that a proxy needs.
What it will not do: listen, or know a protocol.

Invariants: the log is opened before anything that writes to it and closed after it; keys are made once, with mode 0600,
and a key file that was changed is not used.
"""

import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import structlog
import trio

from doorward_core.access.register import Register
from doorward_core.access.store import LedgerFile
from doorward_core.approvals.ballot import Trusted
from doorward_core.approvals.counters import SignCounters
from doorward_core.approvals.desk import Desk
from doorward_core.approvals.passkeys import Passkeys, parse_passkeys
from doorward_core.approvals.sshsig import parse_allowed_signers
from doorward_core.approvals.store import Quota, SqliteStore
from doorward_core.approvals.webauthn import RelyingParty
from doorward_core.config import Config
from doorward_core.config_identity import Issuer
from doorward_core.config_types import Strict
from doorward_core.errors import ConfigError, RecordError
from doorward_core.event import Event
from doorward_core.gate import Gate
from doorward_core.identity.authenticate import Authenticator
from doorward_core.identity.ssh_keys import Authorities, BadKey, new_authority, public_line, read_authority
from doorward_core.identity.token import IssuerSettings, Replay
from doorward_core.keeping import Keeping, begin
from doorward_core.model import Obligation
from doorward_core.net.secrets import SecretKeeper
from doorward_core.policy.load import load_policy
from doorward_core.record.archiving import Archiving
from doorward_core.record.witnessing import Witnessing
from doorward_core.record.writer import Log
from doorward_core.shares import Shares
from doorward_core.telling import notifier, tell_event
from doorward_core.terms import Setting

KEY_BYTES: Final = 32
LOOK_S: Final = 0.2  # how soon a log that has failed is noticed: a writer that was killed is replaced at once
RECOVER_S: Final = 2.0  # between attempts after one that failed: rare enough for a disk that stays full

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Room:
    """What a proxy is given: the configuration, the gate, secrets, and the key of its stable tokens (masks `hash`).

    `authorities` sign its SSH certificates, where its protocol has such; `witnesses` cosign the log, where it has some;
    `keeping` is what looks after the log beside that.
    `register` is what is revoked, and whose glass is broken.
    """

    config: Config
    gate: Gate
    secrets: SecretKeeper
    mask_key: bytes
    register: Register
    authorities: Authorities | None = None
    witnesses: Witnessing | None = None
    keeping: Keeping | None = None

    @property
    def archiving(self) -> Archiving | None:
        """The archive beside the log, where it has one."""
        return self.keeping.archiving if self.keeping is not None else None


@asynccontextmanager
async def opened(
    config: Config,
    protocol: str,
    discharges: frozenset[type[Obligation]],
    background: trio.Nursery,
    *,
    certificates: bool = False,
) -> AsyncIterator[Room]:
    """Open every room, and close the log last. A crash in between leaves a log that the next start repairs.

    `certificates` says that the protocol has SSH certificates: their authorities are made on first start.
    """
    _make_keys_folder(config.record.keys)
    signers = authorities(config.record.keys) if certificates else None
    log = await _open_log(config, background)
    try:
        desk, store = _open_desk(config, log)
        try:
            room = _open_gate(config, protocol, discharges, log, desk, authorities=signers)
            room.gate.reload(room.gate.policy, time.time_ns())
            await desk.recover()
            background.start_soon(desk.run)
            background.start_soon(_recover, log)
            if room.witnesses is not None:
                background.start_soon(room.witnesses.run)
            keeping = await begin(
                config, log, background, desk=desk, store=store, open_sessions=lambda: room.gate.sessions
            )
            yield replace(room, keeping=keeping)
        finally:
            store.close()
    finally:
        with trio.CancelScope(shield=True):
            await log.aclose()


async def _recover(log: Log) -> None:
    """Bring a failed log back once its disk takes writes again: until then nothing passes, and readiness is red."""
    while True:
        await trio.sleep(LOOK_S)
        if log.failed is None:
            continue
        try:
            await log.recover()
        except RecordError as error:
            logger.warning("log.still_failed", problem=str(error))
            await trio.sleep(RECOVER_S)
        else:
            logger.info("log.recovered")


def _make_keys_folder(keys: Path) -> None:
    try:
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError((f"record.keys: {keys}: the folder cannot be made: {error.strerror}",)) from None


async def _open_log(config: Config, background: trio.Nursery) -> Log:
    keys, record = config.record.keys, config.record
    return await Log.open(
        record.folder,
        origin=config.origin,
        signer=keys / "log.key",
        nursery=background,
        keys=keys / "payload",
        recipients=record.recipients,
        checkpoint_interval_s=record.checkpoint_interval,
        mirror=record.mirror,
    )


def _open_desk(config: Config, log: Log) -> tuple[Desk, SqliteStore]:
    async def keep(event: Event) -> None:
        await log.durable(log.append(event, time.time_ns()))

    key, quota = key_file(config.record.keys / "approvals.key"), config.approvals.quota
    store = SqliteStore(config.approvals.store, key, Quota(quota.each, quota.total, quota.hourly))
    counters = SignCounters(config.approvals.store, key)
    told = notifier(config, log)
    return Desk(
        store, clock=time.time_ns, record=keep, trusted=trusted(config), counters=counters, notifier=told
    ), store


def _open_register(config: Config, log: Log) -> Register:
    """StoreError where the file was altered: what is missing of it would be let in again, so there is no gateway."""

    async def keep(event: Event) -> None:
        await log.durable(log.append(event, time.time_ns()))

    store = config.approvals.store
    file = LedgerFile(store.with_name(f"{store.name}.access"), key_file(config.record.keys / "approvals.key"))
    return Register(file.load(), file, clock=time.time_ns, record=keep)


def trusted(config: Config) -> Trusted:
    """The keys that approvers may prove a vote with, read from their files; ConfigError with every fault."""
    signers, passkeys = config.approvals.signers, config.approvals.passkeys
    signing = parse_allowed_signers(_bytes(signers), str(signers)) if signers else ()
    if passkeys is None:
        return Trusted(signing)
    party = RelyingParty(passkeys.rp_id, frozenset(passkeys.origins))
    return Trusted(signing, Passkeys(party, parse_passkeys(_bytes(passkeys.file), str(passkeys.file))))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError((f"{path}: cannot be read: {error.strerror}",)) from None


def _open_gate(
    config: Config,
    protocol: str,
    discharges: frozenset[type[Obligation]],
    log: Log,
    desk: Desk,
    *,
    authorities: Authorities | None,
) -> Room:
    keys = config.record.keys
    issuers = tuple(_issuer(issuer) for issuer in config.identity.issuers)
    register = _open_register(config, log)
    if desk.notifier is not None:
        register.listeners.append(partial(tell_event, desk.notifier, origin=config.origin))
    believed = (authorities.login.public_key(),) if authorities else ()
    gate = Gate(
        origin=config.origin,
        policy=load_policy(config.policy).observing(config.observing()),
        resources=_settings(config, protocol),
        authenticator=Authenticator(issuers, clock=time.time_ns, authorities=believed),
        log=log,
        desk=desk,
        binding_key=key_file(keys / "binding.key"),
        discharges=discharges,
        level=config.record.level,
        clock=time.time_ns,
        ledger=register.ledger,
        shares=Shares(config.limits.each_identity),
    )
    mask_key = key_file(keys / "mask.key")
    return Room(config, gate, SecretKeeper(time.time_ns), mask_key, register, authorities, _witnesses(config, log))


def _witnesses(config: Config, log: Log) -> Witnessing | None:
    record = config.record
    if record.witnesses is None or record.mirror is None:
        return None

    def keep(event: Event) -> None:
        log.append(event, time.time_ns())

    every_s = record.checkpoint_interval
    place, mirror = record.folder, record.mirror
    return Witnessing(record.witnesses, folder=place, mirror=mirror, keep=keep, limits=log.limits, every_s=every_s)


def _settings(config: Config, protocol: str) -> dict[str, Setting]:
    nouns = config.nouns()
    return {
        name: Setting(
            nouns[name],
            frozenset(item.accounts),
            item.default_account,
            item.read_only_account or "",
            named=isinstance(item.target, Strict) and item.target.names_accounts,
        )
        for name, item in config.resources.items()
        if item.protocol == protocol
    }


def _issuer(given: Issuer) -> IssuerSettings:
    settings = given.settings()
    if "replay" in settings:
        settings["replay"] = Replay(settings["replay"])
    try:
        return IssuerSettings(**settings)
    except ValueError as error:
        raise ConfigError((f"identity.issuers: {given.issuer}: {error}",)) from None


def authorities(folder: Path) -> Authorities:
    """The keys that sign SSH certificates; the public half of each stands beside it, for those who are to trust it."""
    found = {}
    for name in ("login", "user", "host"):
        path = folder / f"ssh-{name}-ca.key"
        try:
            found[name] = read_authority(_file(path, new_authority))
        except BadKey as error:
            raise ConfigError((f"{path}: {error}",)) from None
        if path.stat().st_mode & 0o077:
            raise ConfigError((f"{path}: others can read it; replace it, or chmod 600 it if nobody has",))
        public = f"{public_line(found[name].public_key(), path.stem)}\n".encode("ascii")
        beside = path.with_suffix(".pub")
        if not beside.exists() or beside.read_bytes() != public:
            _write(beside, public)
    return Authorities(**found)


def key_file(path: Path) -> bytes:
    """Read a key file of random bytes, made on first start."""
    key = _file(path, lambda: secrets.token_bytes(KEY_BYTES))
    if len(key) != KEY_BYTES:
        raise ConfigError((f"{path}: not a key of {KEY_BYTES} bytes; it was changed or cut",))
    return key


def _file(path: Path, make: Callable[[], bytes]) -> bytes:
    """Read a secret file, made on first start.

    A crash between making and renaming leaves a draft beside it, which the next start writes anew.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        content = make()
        _write(path, content)
        return content


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)  # what a crash left, whoever may have come to own or read it since
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name is on stable storage too: a grant bound under a key that is lost is void
    finally:
        os.close(folder)
