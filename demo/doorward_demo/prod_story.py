"""The story's part on a cluster: the agent with kubectl, whose Secrets are masked and whose changes are held.

What it is: four steps, played by the real kubectl, each followed by a look past the gateway, at the cluster itself.
What it will not do: go on when a promise was broken.
"""

import base64
import os
import subprocess
import threading
from dataclasses import dataclass, field
from typing import Final

from doorward_demo.approver import Approver, doorward
from doorward_demo.cluster_errors import ApiError
from doorward_demo.cluster_seed import PASSWORD, SHOP
from doorward_demo.dataset import Customer, customers
from doorward_demo.postgres import DemoError
from doorward_demo.prod import LOG_FILE, LOG_LINES, POD, RESOURCE, Prod, kubectl_version
from doorward_demo.stack import AGENT, Stack
from doorward_demo.story import find_leaks
from doorward_demo.terminal import ANSWER_WITHIN_S, Screen, Shell

REASON: Final = "web moved to the new cluster yesterday"


@dataclass
class ProdStory:
    """Everyone who appears in it."""

    screen: Screen
    stack: Stack
    prod: Prod
    approver: Approver
    agent: Shell = field(init=False)

    def __post_init__(self) -> None:
        self.agent = Shell(self.screen, "agent$ ")

    def play(self) -> None:
        """Play all four steps; raise DemoError where one does not end as it must."""
        self._looks()
        self._masks()
        self._holds()
        self._executes()

    # --- the steps ---------------------------------------------------------------------------------------------------

    def _looks(self) -> None:
        self.screen.chapter(f"The same agent on a cluster: kubectl {kubectl_version()}, with another kubeconfig")
        self._logs_in()
        said = self._kubectl("get", "pods", "-n", SHOP)
        if not all(name in said for name in ("web-0", "web-1")):
            raise DemoError("the pods should have been shown")
        asked = [one for one in self.prod.cluster.requests if one.target.partition("?")[0].endswith(f"/{SHOP}/pods")]
        if not asked or (b"impersonate-user", f"doorward:{AGENT}".encode()) not in [
            (name.lower(), value) for name, value in asked[-1].headers
        ]:
            raise DemoError("the cluster should have been told who asks")
        self.screen.checked(f"the cluster was told who asks, doorward:{AGENT}, and its own rules hold besides")

    def _masks(self) -> None:
        self.screen.chapter("A Secret is shown without what is secret, in its annotations too")
        said = self._kubectl("get", "secret", "db", "-n", SHOP, "-o", "yaml")
        true = self.prod.cluster.stored("secrets", "db", SHOP)["data"]
        if base64.b64decode(true["password"]).decode() != PASSWORD or "password:" not in said:
            raise DemoError("the Secret should be there, and its keys should have been shown")
        leaked = find_leaks(said, (PASSWORD, *true.values()))
        if leaked:
            raise DemoError(f"a value that is masked was shown: {leaked[0]}")
        self.screen.checked("the password is in the cluster, and not up there: not in `data`, not in what was applied")

    def _holds(self) -> None:
        self.screen.chapter("A deletion waits for a person, and kubectl waits with it")
        command = ["kubectl", "delete", "deploy", "web", "-n", SHOP]
        self.screen.typed(self.agent.prompt, " ".join(command))
        with subprocess.Popen(
            command, env={**os.environ, **self._environment()}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        ) as kubectl:  # fmt: skip
            late = threading.Timer(ANSWER_WITHIN_S, kubectl.kill)
            late.start()
            try:
                request = self.approver.until_something_waits(self.prod.control)
                untouched = self._is_there()
                self.approver.approve(request, REASON, self.prod.control)
                said, _ = kubectl.communicate()
            except DemoError:
                kubectl.kill()
                raise
            finally:
                late.cancel()
        for line in said.splitlines():
            self.screen.printed(line)
        if not untouched:
            raise DemoError("the deployment was deleted before anyone had approved it")
        if kubectl.returncode or "deleted" not in said:
            raise DemoError("kubectl should have been held, and have said `deleted` once it was approved")
        if self._is_there():
            raise DemoError("the deletion was approved, and was not made")
        self.screen.checked("it was there while kubectl waited, and is gone now")

    def _executes(self) -> None:
        self.screen.chapter("What runs in a pod is decided by what it is, masked, and recorded")
        status, said = self.agent.run(["kubectl", "exec", "-n", SHOP, POD, "--", "rm", LOG_FILE], self._environment())
        there = self.prod.cluster.folder / "pods" / SHOP / POD / LOG_FILE
        if not status or "by hand" not in said or any(one.email not in there.read_text() for one in _people()):
            raise DemoError("the removal should have been refused, and the file be as it was")
        said = self._kubectl("exec", "-n", SHOP, POD, "--", "cat", LOG_FILE)
        if said.count("shipped") != LOG_LINES:
            raise DemoError("the log should have been shown")
        self._shows_no_customer(said)
        self.screen.say("\nLater, somebody looks at what happened there:")
        status, said = self.approver.shell.run(*doorward("replay", "last", "--log", str(self.prod.log), "--no-wait"))
        if status or said.count("shipped") != LOG_LINES:
            raise DemoError("the replay should have shown what was printed")
        self._shows_no_customer(said)
        self.screen.checked("what was printed is on record as the agent saw it; the addresses are in the pod alone")

    # --- what they rest on -------------------------------------------------------------------------------------------

    def _logs_in(self) -> None:
        """The agent gets a kubeconfig without a token in it: kubectl runs `doorward token` whenever it needs one."""
        where = ["--cluster", RESOURCE, "--server", self.prod.url, "--ca-file", str(self.stack.state / "tls/ca.crt")]
        command, path = doorward("kubeconfig", *where, "--token-file", str(self.stack.token_file(AGENT)))
        self.screen.typed(self.agent.prompt, f"{' '.join(command)} > {self.prod.kubeconfig}")
        done = subprocess.run(
            command, env={**os.environ, **path}, capture_output=True, text=True, check=False, timeout=ANSWER_WITHIN_S
        )
        if done.returncode:
            raise DemoError(f"the kubeconfig was not given: {done.stderr.strip()}")
        self.prod.kubeconfig.touch(mode=0o600)
        self.prod.kubeconfig.write_text(done.stdout, encoding="utf-8")
        self.screen.typed(self.agent.prompt, f"export KUBECONFIG={self.prod.kubeconfig}")

    def _environment(self) -> dict[str, str]:
        """What kubectl needs: the kubeconfig, `doorward` on its path, and a home whose caches go nowhere else."""
        _, path = doorward()
        return {**path, "KUBECONFIG": str(self.prod.kubeconfig), "HOME": str(self.prod.state)}

    def _kubectl(self, *words: str) -> str:
        status, said = self.agent.run(["kubectl", *words], self._environment())
        if status:
            raise DemoError(f"kubectl ended with status {status}")
        return said

    def _is_there(self) -> bool:
        try:
            self.prod.cluster.stored("deployments", "web", SHOP, "apps")
        except ApiError:
            return False
        return True

    @staticmethod
    def _shows_no_customer(said: str) -> None:
        leaked = find_leaks(said, (one.email for one in _people()))
        if leaked:
            raise DemoError(f"a value that is masked was shown: {leaked[0]}")


def _people() -> list[Customer]:
    return list(customers(LOG_LINES))
