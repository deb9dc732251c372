"""Who is told what happens at the desk: from the configuration to a running notifier.

What it is: the wiring of `approvals.notify_send`, whose receivers' addresses and keys are secrets of the operator.
What it will not do: send anything itself, or let a failure be more than a line in the log and on the admin port.
"""

import secrets
import time
from functools import partial
from typing import Final

import structlog

from doorward_core import entries
from doorward_core.approvals.notify import of_event
from doorward_core.approvals.notify_send import Notifier, Receiver
from doorward_core.config import Config
from doorward_core.errors import RecordError
from doorward_core.event import Event
from doorward_core.net.secrets import SecretKeeper
from doorward_core.record.log import EventLog

DELIVERY_BYTES: Final = 12  # of a delivery's name, by which a receiver knows one that it had before

logger = structlog.get_logger()


def notifier(config: Config, log: EventLog) -> Notifier:
    """A notifier for the receivers of a configuration; its `run` is still to be started."""
    keeper = SecretKeeper(time.time_ns)

    def failed(words: str) -> None:
        logger.warning("notification.failed", problem=words)
        try:
            log.append(entries.gateway_error(None, words), time.time_ns())
        except RecordError as error:
            logger.warning("gateway.unready", problem=str(error))

    receivers = tuple(
        Receiver(
            f"receiver {number} ({settings.format})",
            settings,
            partial(keeper.get, settings.url),
            partial(keeper.get, settings.key) if settings.key is not None else None,
        )
        for number, settings in enumerate(config.approvals.notify, start=1)
    )
    return Notifier(
        receivers,
        link=config.approvals.link or "",
        clock=time.time_ns,
        delivery=lambda: secrets.token_hex(DELIVERY_BYTES),
        failed=failed,
    )


def tell_event(to: Notifier, event: Event, origin: str) -> None:
    """Tell of an event that is no request's, where there is something to tell: that somebody broke the glass."""
    notice = of_event(event, origin, time.time_ns())
    if notice is not None:
        to.tell(notice)
