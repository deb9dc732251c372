"""What is wrong with the files that a desk's settings name, for `doorward desk --check`.

What it is: the authorities, keys and logs, looked at before somebody opens a page that needs them.
What it will not do: verify a log, ask a gateway or a provider, or repeat anything of a secret.

A fault is what cannot work as it is; a remark is what is not there yet, as before a gateway's first start.
"""

from collections.abc import Iterator
from pathlib import Path

import trio

from doorward_console.settings import GatewaySettings, Settings
from doorward_console.sources import desk_identities
from doorward_console.witnessed import log_vkey
from doorward_core.config_named import authorities, certificates
from doorward_core.config_yaml import render_path
from doorward_core.errors import ConfigError, RecordError, UpstreamUnavailable
from doorward_core.net.tls import aging, client_context
from doorward_core.record.proof import ProofError

_BUCKET = "s3://"


def faults(settings: Settings) -> Iterator[str]:
    """What cannot work as it is."""
    for path, authority in authorities(settings):
        try:
            client_context(authority)
        except ConfigError as error:
            yield from (f"{render_path(path)}: {problem}" for problem in error.problems)
    for name, gateway in settings.gateways.items():
        try:
            log_vkey(name, settings)
        except FileNotFoundError:
            continue  # a remark
        except (OSError, UnicodeError, ProofError) as error:
            yield f"gateways.{name}.vkey: {gateway.vkey}: no key of a log: {error}"
    try:
        trio.run(desk_identities, settings)
    except RecordError as error:
        yield f"identity: {error}"
    except UpstreamUnavailable:
        pass  # said where secrets are looked for
    if settings.index is not None and settings.index.is_dir():
        yield f"index: {settings.index} is a folder; name a file"


def remarks(settings: Settings, now_unix_ns: int) -> Iterator[str]:
    """What works, and not for everything, or not for long."""
    for shown in certificates(settings):
        yield from (f"{render_path(shown.path)}: {words}" for words in aging(shown.certificate, now_unix_ns))
    for path, authority in authorities(settings):
        yield from (f"{render_path(path)}: {words}" for words in aging(authority, now_unix_ns))
    for name, gateway in settings.gateways.items():
        yield from (f"gateways.{name}.{words}" for words in _absent(name, gateway, settings))


def _absent(name: str, gateway: GatewaySettings, settings: Settings) -> Iterator[str]:
    if gateway.log is None:
        yield "log: is not named: sessions, search and reviews have nothing of it"
        return
    if not gateway.log.is_dir():
        yield f"log: there is no folder {gateway.log}: sessions, search and reviews have nothing of it"
    try:
        named = log_vkey(name, settings)
    except FileNotFoundError:
        yield f"vkey: there is no file {gateway.vkey}: its log cannot be verified here"
    except (OSError, UnicodeError, ProofError):
        pass  # a fault
    else:
        if not named:
            yield "vkey: is not named: its log cannot be verified here"
    archive = gateway.archive or ""
    if archive and not archive.startswith(_BUCKET) and not Path(archive).is_dir():
        yield f"archive: there is no folder {archive}: what was freed is not seen"
