"""A gateway that writes its log but does not wait for its flushes. For measuring only: it breaks promise P4.

It shows what of the gateway's cost is the wait, and is no way to run one.
"""

import sys

from doorward_core.record.writer import Log
from doorward_core.run import main
from doorward_postgres.proxy import POSTGRES


async def _at_once(_log: Log, _index: int) -> None:
    return


def _never(_log: Log, _index: int) -> None:
    return


if __name__ == "__main__":
    Log.durable = _at_once  # type: ignore[method-assign,assignment]  # the point of this file
    Log.soon = _never  # type: ignore[method-assign,assignment]  # as above
    Log.durable_size = property(lambda log: log._size)  # type: ignore[method-assign,assignment]  # noqa: SLF001 - as above
    sys.exit(main(POSTGRES, sys.argv[1:]))
