"""The `target` block of a Kubernetes resource, as an operator writes it (docs/k8s.md)."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from doorward_core.config_types import Bytes, ExistingFile, NotEmpty, Seconds, Strict, Vocabulary, fault
from doorward_core.http.places import Place, TargetTls, Timeouts, Url, unprotected
from doorward_k8s.vocabulary import VOCABULARY

_MIB = 1024 * 1024
SYSTEM = "system:"


def _prefix(value: str) -> str:
    if value.startswith(SYSTEM):
        raise fault("names that begin with `system:` are the cluster's own")
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise fault("expected a few letters, such as `doorward:`")
    return value


class Impersonate(Strict):
    """Who the cluster is told that asks: the verified identity, under a prefix of its own."""

    prefix: Annotated[str, AfterValidator(_prefix)] = "doorward:"
    groups: bool = True
    extra: bool = True


class Kubeconfig(Strict):
    """A kubeconfig and one of its contexts; the current one, if none is named."""

    file: ExistingFile
    context: str = ""


class K8sTarget(Strict):
    """Where a cluster is offered, and where it is."""

    vocabulary: ClassVar[Vocabulary | None] = VOCABULARY
    at: Annotated[tuple[Place, ...], NotEmpty]
    server: Url | None = None
    kubeconfig: Kubeconfig | None = None
    in_cluster: Literal[True] | None = None
    tls: TargetTls = TargetTls()
    impersonate: Impersonate | Literal[False] = Impersonate()
    hold: Seconds = 600.0
    previews: bool = False
    changes: bool = True
    body_bytes: Annotated[Bytes, Field(ge=64 * 1024, le=16 * _MIB)] = 4 * _MIB
    timeouts: Timeouts = Timeouts()

    @model_validator(mode="after")
    def _one_place(self) -> "K8sTarget":
        if sum(item is not None for item in (self.server, self.kubeconfig, self.in_cluster)) != 1:
            raise fault("exactly one of `server`, `kubeconfig` and `in_cluster`")
        if self.server is None and self.tls != TargetTls():
            raise fault("`tls` goes with `server`; a kubeconfig says it itself")
        if self.server is not None and unprotected(self.server):
            raise fault("an API server is spoken to over https; http is for this machine alone")
        if self.server is not None and self.server.startswith("http://") and self.tls != TargetTls():
            raise fault("`tls` has no meaning beside an `http://` address")
        return self
