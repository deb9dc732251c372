"""An object store on loopback that speaks S3 and puts locks on objects: moto's server, in a thread.

A store asks for a digest beside what a lock is put on. Ours sends it as `x-amz-checksum-sha256`, which Amazon's takes;
moto looks for another header, so that one is added on the way.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.backends import get_backend
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from doorward_core.record.archive_places import StorePlace, StoreSettings

BUCKET = "acme-archive"


class ObjectStore:
    """The server; `down` makes it answer 503 to everything."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._app = DomainDispatcherApplication(create_backend_app)
        self.down = False
        self.seen: list[tuple[str, str]] = []
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.client = boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id="id", aws_secret_access_key="key", region_name="us-east-1"
        )

    def _answer(self, environ: dict[str, Any], start: Any) -> Any:
        self.seen.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if self.down:
            start("503 Slow Down", [("Content-Length", "0")])
            return [b""]
        if "HTTP_X_AMZ_CHECKSUM_SHA256" in environ:
            environ["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = "SHA256"
        return self._app(environ, start)

    def bucket(self, name: str = BUCKET, *, mode: str = "COMPLIANCE", days: int = 400, lock: bool = True) -> str:
        """Make a bucket whose objects are locked by default, or one without."""
        self.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
        if lock and mode:
            rule = {"DefaultRetention": {"Mode": mode, "Days": days}}
            self.client.put_object_lock_configuration(
                Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
            )
        return name

    def place(self, name: str = BUCKET, prefix: str = "gateway") -> StorePlace:
        """Our own side of it."""
        return StorePlace(StoreSettings(name, prefix, "us-east-1", "id", "key", endpoint=self.url))

    def close(self) -> None:
        """Stop, and forget what was kept."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.client.close()
        get_backend("s3").reset()


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """A store for one test."""
    store = ObjectStore()
    try:
        yield store
    finally:
        store.close()
