"""`python -m doorward_k8s --config FILE`: the Kubernetes gateway as a process."""

import sys

from doorward_core.run import main as run
from doorward_k8s.proxy import K8S


def main() -> None:
    """Run until told to stop; the exit status is 0 after a clean drain, 2 for a configuration that cannot be used."""
    sys.exit(run(K8S, sys.argv[1:]))


if __name__ == "__main__":
    main()
