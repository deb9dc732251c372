"""Requests as operations, for explaining and testing policies: read by the proxy of their protocol, if it is here.

The console knows no protocol: an installed proxy names, under an entry point, what reads a line such as
`GET /customers/42` as its gateway would. Nothing is sent anywhere.
"""

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

from doorward_core.config import Config
from doorward_core.errors import ConfigError
from doorward_core.model import Operation, Resource
from doorward_core.policy.decide import Policy
from doorward_core.policy.test_cases import Asked, ReadRequest

READERS = "doorward.readers"
"""The entry-point group under which an installed proxy names, by protocol, what reads requests of its."""


def request_reader(policy: Policy, config: Config | None, folder: Path) -> ReadRequest:
    """What reads requests on the resources of a configuration; without one, methods alone say what they do."""

    def read(asked: Asked, resource: Resource) -> Operation:
        settings = config.resources.get(resource.name) if config is not None else None
        return _reader(resource.protocol)(
            asked,
            resource,
            wanted=policy.wanted(resource),
            target=settings.target if settings is not None else None,
            folder=folder,
        )

    return read


def _reader(protocol: str) -> Callable[..., Operation]:
    """Raises ConfigError where no installed proxy reads requests of this protocol."""
    for point in entry_points(group=READERS, name=protocol):
        found: Callable[..., Operation] = point.load()
        return found
    raise ConfigError((f"requests on a resource of protocol {protocol} cannot be read here",))
