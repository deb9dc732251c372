"""The files of `doorward init k8s`, as text with comments.

What it is: the templates of what is Kubernetes's: the resource, the policy, and what the cluster itself must be told;
`init_text` has the rest, and the quoting.
What it will not do: read, write, or hold a secret: a credential is a reference, never a value.

Invariants: pure; as in `init_text`.
"""

from dataclasses import dataclass

from doorward_console.init_doors import Gateway
from doorward_console.init_folder import POLICY
from doorward_console.init_k8s_target import Cluster
from doorward_console.init_text import comment, common, listing, quoted

RBAC = "gateway-rbac.yaml"
AUTHORITY = "cluster-ca.crt"
PREFIX = "doorward:"
_EXTRAS = "[{}]".format(", ".join(f"userextras/doorward-{extra}" for extra in ("issuer", "kind", "sponsor", "session")))


@dataclass(frozen=True, slots=True)
class WantedK8s(Gateway):
    """What the operator asked for, the cluster included."""

    cluster: Cluster
    at: str
    kubeconfig: str  # its path, where the gateway is the kubeconfig's user; else empty
    credential: dict[str, str]  # {"env": NAME} or {"file": PATH}; empty where the kubeconfig's own is used


def config_text(wanted: WantedK8s) -> str:
    """`doorward.yaml`."""
    clients = f"with a token, below {comment(wanted.at)}: kubectl by the kubeconfig of `doorward kubeconfig`"
    return f"""\
{common(wanted, wanted.cluster.server, POLICY, clients=clients, tls=True)}
# Whose people may see which sessions are open, watch them and end them.
operators: {{groups: {listing((wanted.approvers,))}}}

resources:
  {quoted(wanted.resource)}:
    protocol: k8s
    # Every key of target: docs/k8s.md. at: beginnings of paths, hosts (prod.gateway.example), or both joined.
    target:
      at: {listing((wanted.at,))}
{_place(wanted)}
      # Who asks is told to the cluster, as `{PREFIX}SUBJECT` in groups `{PREFIX}GROUP`: its own RBAC and audit hold.
      impersonate: {{prefix: {quoted(PREFIX)}, groups: true, extra: true}}
      hold: 10m  # how long a held call waits on its connection; kubectl simply waits with it
      # previews: true  # approvers see what a dry run says would change; the cluster's webhooks run for each
    # Clients never see the gateway's credential, and their own never goes there. It needs to impersonate, and nothing
    # else: {RBAC} makes a service account that can.
    accounts:
      "gateway": {{user: "gateway"{_credential(wanted)}}}
    account: "gateway"
"""


def _place(wanted: WantedK8s) -> str:
    cluster = wanted.cluster
    if wanted.kubeconfig:
        return (
            f"      # {comment(cluster.server)}, and the kubeconfig's own user {comment(cluster.user)}. Better, when"
            " others connect:\n"
            f"      # the service account of {RBAC}: `server` and `tls` here, and below `password: {{file: PATH}}`.\n"
            f"      kubeconfig: {{file: {quoted(wanted.kubeconfig)}, context: {quoted(cluster.context)}}}"
        )
    tls = [f"ca: {AUTHORITY}"] if cluster.authority else []
    tls += [f"server_name: {quoted(cluster.server_name)}"] if cluster.server_name else []
    return (
        f"      server: {quoted(cluster.server)}\n"
        "      # Its certificate must be for this host, and come from "
        + ("the authorities in `ca`, as the kubeconfig says." if cluster.authority else "an authority known here.")
        + (f"\n      tls: {{{', '.join(tls)}}}" if tls else "")
    )


def _credential(wanted: WantedK8s) -> str:
    ttl = {"file": ", ttl: 60s"}  # a file is written anew before its token ends; a variable never is
    return "".join(
        f", password: {{{how}: {quoted(where)}{ttl.get(how, '')}}}" for how, where in wanted.credential.items()
    )


def policy_text(wanted: WantedK8s) -> str:
    """`policy.yaml`."""
    who, resource = f"{{groups: {listing((wanted.readers,))}}}", quoted(wanted.resource)
    approve = f"{{by: {{groups: {listing((wanted.approvers,))}}}, quorum: 1, within: 10m, grant: 5m}}"
    return f"""\
# Who may do what, what waits for a person, and what is hidden; made by `doorward init` on {wanted.made_on}.
# What no rule allows is blocked. Objects are NAMESPACE/GROUP/RESOURCE/NAME, or with a SUBRESOURCE before the name;
# the group without a name is `core`. Every key: docs/policy.md; what is decided and how: docs/k8s.md.
# Check a change with: doorward policy check {POLICY}. Then send SIGHUP to the gateway.
version: 1

rules:
{_looking(who, resource)}{_changing(who, resource, approve)}
# Hidden in objects, lists, tables, watches and logs, and where a mask cannot be applied nothing is let through.
# secrets: data of Secrets and the copies of it. env: values of containers' variables. tokens: of service accounts.
# More by path: "configmaps:$.data.password" (docs/k8s-masks.md). What is redacted is known again when a client writes
# it back, and refused; other transforms (partial, hash) are not.
# except: {{groups: [privacy-office]}} in a mask shows its values to a group; by itself nobody sees them.
# Helm keeps its releases in Secrets, and cannot read them masked: except the group of whoever runs helm.
masks:
  - id: values
    resource: {resource}
    columns: [secrets, env, tokens]
    with: redact

  - id: content
    resource: {resource}
    detect: [email, card, iban, secrets]
    with: redact
"""


def _looking(who: str, resource: str) -> str:
    return f"""\
  # get, list, watch, describe, logs; in an allow, Secrets are meant only where they are named. They come masked.
  - id: reads
    effect: allow
    who: {who}
    resource: {resource}
    do: [read]
    objects: ["**", "*/core/secrets/*"]

  # kubectl diff, --dry-run=server: nothing is changed; the cluster's webhooks run, and are told that it is a trial.
  - id: trials
    effect: allow
    who: {who}
    resource: {resource}
    do: [write]
    objects: ["**", "*/core/secrets/*"]
    when: {{"dry-run": [all]}}

"""


def _changing(who: str, resource: str, approve: str) -> str:
    return f"""\
  - id: changes-need-a-human
    effect: hold
    who: {who}
    resource: {resource}
    do: [write]
    objects: ["**"]
    when: {{"dry-run": ["no"]}}
    approve: {approve}
    reason: A person has to approve changes.

  # One decision for each exec, attach, cp and debug. `unknown` is what cannot be read beforehand: an interactive shell.
  # (debug with --profile=baseline: the others want capabilities that are blocked below.)
  # To let what only looks go by itself: an allow with objects: ["shop/core/pods/exec/*"], commands: ["ps *"], and
  # this rule narrowed to other namespaces, since the strictest rule decides.
  - id: exec-needs-a-human
    effect: hold
    who: {who}
    resource: {resource}
    do: [execute, write, unknown]
    objects: ["*/core/pods/exec/*", "*/core/pods/attach/*", "*/core/pods/ephemeralcontainers/*"]
    targets: {{path: ["**"]}}  # the files that a command or a copy writes are its own
    approve: {approve}
    reason: A person has to approve what runs in a pod.

  # RBAC, tokens, certificates, webhooks, nodes, namespaces, whatever has no namespace, pods that reach into their node;
  # port-forward and HTTP through pods and services, which nobody could see into.
  - id: no-privilege-and-no-tunnels
    effect: block
    resource: {resource}
    do: [admin, forward]
    reason: This is not done through this gateway. Ask the platform team.
"""


def rbac_text(wanted: WantedK8s) -> str:
    """What the cluster must be told: who the gateway is, and what those whom it names may do there."""
    group = quoted(f"{PREFIX}{wanted.readers}")
    return f"""\
# What the cluster must know of the gateway, made by `doorward init` on {wanted.made_on}: kubectl apply -f {RBAC}
# The gateway may say who somebody is, and do nothing by itself. Whoever may impersonate every user and group is as
# powerful as all of them: keep its token for the gateway alone, or name in `resourceNames` whom it may become.
apiVersion: v1
kind: Namespace
metadata: {{name: doorward}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: gateway, namespace: doorward}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: doorward-gateway}}
rules:
  - {{apiGroups: [""], resources: [users, groups], verbs: [impersonate]}}
  - apiGroups: [authentication.k8s.io]
    resources: {_EXTRAS}
    verbs: [impersonate]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: doorward-gateway}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: doorward-gateway}}
subjects:
  - {{kind: ServiceAccount, name: gateway, namespace: doorward}}
---
# What the readers' group may do as far as the cluster is concerned; {POLICY} decides first, and is stricter.
# A RoleBinding in a namespace, or a ClusterRole of your own, narrows it.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: doorward-readers}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}}
subjects:
  - {{kind: Group, name: {group}, apiGroup: rbac.authorization.k8s.io}}
"""
