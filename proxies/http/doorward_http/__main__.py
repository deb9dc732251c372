"""`python -m doorward_http --config FILE`: the HTTP gateway as a process."""

import sys

from doorward_core.run import main as run
from doorward_http.proxy import HTTP


def main() -> None:
    """Run until told to stop; the exit status is 0 after a clean drain, 2 for a configuration that cannot be used."""
    sys.exit(run(HTTP, sys.argv[1:]))


if __name__ == "__main__":
    main()
