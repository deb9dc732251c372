"""`python -m doorward_ssh --config FILE`: the SSH gateway as a process."""

import os
import sys

from doorward_core.run import main as run
from doorward_ssh.proxy import SSH


def main() -> None:
    """Run until told to stop; the exit status is 0 after a clean drain, 2 for a configuration that cannot be used."""
    os.environ.setdefault("HOME", "/nonexistent")  # asyncssh asks for one, also where whoever runs us has none
    sys.exit(run(SSH, sys.argv[1:]))


if __name__ == "__main__":
    main()
