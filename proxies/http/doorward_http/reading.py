"""A request as a person writes it down, as an operation: for explaining and testing policies.

What it is: what `doorward policy` asks this protocol by its entry point (`doorward.readers`): the same reading that a
gateway does, of a line such as `GET /customers/42?view=full`, with headers and a body where they matter.
What it will not do: send anything. What it gives has no digest that anything is bound to.
"""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from doorward_core.config_types import FOLDER, frozen_lists
from doorward_core.errors import ConfigError
from doorward_core.http.messages import BadRequest, Head, Headers
from doorward_core.http.paths import canonical, refuse_overrides
from doorward_core.http.routes import Destination, Found
from doorward_core.model import Action, Operation, Resource
from doorward_core.policy.test_cases import Asked
from doorward_http.facts import Body
from doorward_http.headers import for_target
from doorward_http.operations import Reader, Request, media_type
from doorward_http.served import described
from doorward_http.settings import HttpTarget

_NOWHERE = HttpTarget.model_validate({"at": ("target.invalid",), "url": "https://target.invalid", "send": "nothing"})
_KEPT = "/%?&=+,;:@!$'()*~[]"  # what a person means by it; everything else is written encoded


def read_request(
    asked: Asked, resource: Resource, *, wanted: Iterable[str], target: object = None, folder: Path | None = None
) -> Operation:
    """The operation that a request is; one that no gateway would read is not complete, and says why.

    `target` is the resource's block of the configuration, as data; without one, methods alone say what is done.
    Raises ConfigError where a file that it names cannot be used.
    """
    settings = _NOWHERE if target is None else _settings(target, folder or Path())
    known, actions = described(settings)
    method, _, rest = asked.line.partition(" ")
    if not rest.startswith(("/", "*")):
        raise ConfigError((f"`{asked.line}` is no request: that is a method and a path, such as `GET /customers/42`",))
    try:
        where = canonical(quote(rest, safe=_KEPT).encode("ascii"), encoded_slash=settings.encoded_slashes)
        headers = _headers(asked)
        if settings.overrides == "refuse":
            refuse_overrides(headers, where)
    except BadRequest as error:
        problem = {"problem": f"a gateway answers 400: {error}"}
        return Operation(b"", 0, Action.UNKNOWN, method, (), asked.line, b"", complete=False, attributes=problem)
    head = Head(method, where.target, "gateway.invalid", "https", headers)
    taken = (settings.send.header.name.encode(),) if settings.send.header is not None else ()
    kept = for_target(headers, cookies=settings.cookies, taken=taken)
    body = Body(asked.body.encode(), media_type(kept), any(name == b"content-encoding" for name, _ in kept))
    request = Request(head, where, Found(resource.name, "", where.path), kept, body)
    reader = Reader(Destination.of(settings.url), actions, known)
    return reader.read(request, identifier=b"", seq=0, account="", wanted=wanted)


def _settings(target: object, folder: Path) -> HttpTarget:
    if isinstance(target, HttpTarget):
        return target
    try:
        return HttpTarget.model_validate(frozen_lists(target), context={FOLDER: folder})
    except ValueError:
        raise ConfigError(("the resource's target has faults: `doorward config check` names them",)) from None


def _headers(asked: Asked) -> Headers:
    given = tuple(
        (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in asked.headers.items()
    )
    if asked.body and not any(name == b"content-type" for name, _ in given):
        return (*given, (b"content-type", b"application/json"))
    return given
