"""What pages load: styles, scripts and the mark, read once at start and served from memory.

What it is: the files below `static`, each with the digest of its content in its address.
What it will not do: look at the disk when a browser asks; no path that comes from outside ever meets the file system.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

STATIC: Final = Path(__file__).parent / "static"
VERSION_CHARACTERS: Final = 12
_TYPES: Final = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".wasm": "application/wasm",
    }
)
_FOR_A_YEAR: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: what it is, and the start of its SHA-256."""

    content: bytes
    media_type: str
    version: str


class Assets:
    """Every file of the kinds that pages load; licences and the like are not served."""

    def __init__(self, folder: Path = STATIC) -> None:
        found = (path for path in sorted(folder.rglob("*")) if path.suffix in _TYPES and path.is_file())
        self._files = {path.relative_to(folder).as_posix(): _read(path) for path in found}

    def address(self, name: str) -> str:
        """Where a page finds a file, as it is now. KeyError where there is none: a defect of a template."""
        return f"/static/{name}?v={self._files[name].version}"

    def route(self) -> Route:
        """The route that serves them; nobody has to be logged in."""
        return Route("/static/{name:path}", self._serve, methods=["GET"])

    async def _serve(self, request: Request) -> Response:
        asset = self._files.get(request.path_params["name"])
        if asset is None:
            return Response("there is nothing here\n", 404, media_type="text/plain")
        lasting = request.query_params.get("v") == asset.version
        headers = {"Cache-Control": _FOR_A_YEAR if lasting else "no-cache", "ETag": f'"{asset.version}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, headers=headers, media_type=asset.media_type)


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, _TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:VERSION_CHARACTERS])
