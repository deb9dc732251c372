"""A vote signed with an SSH key: `ssh-keygen -Y sign`, with agents, passphrases and hardware keys as it knows them."""

import shutil
import subprocess
from pathlib import Path

from doorward_core.approvals.votes import SSHSIG_NAMESPACE


class CannotSign(Exception):
    """There is no signature; the message says why."""


def sign(key: Path, message: bytes) -> str:
    """Sign; the key may be private, or public where its private half is in the ssh-agent or on a token.

    ssh-keygen asks for a passphrase or a touch by itself, on the terminal.
    """
    program = shutil.which("ssh-keygen")
    if program is None:
        raise CannotSign("ssh-keygen is not installed (Debian: openssh-client)")
    if not key.is_file():
        raise CannotSign(f"{key} is not a file")
    done = subprocess.run(  # noqa: S603 - a program found on PATH, with arguments and no shell
        [program, "-Y", "sign", "-n", SSHSIG_NAMESPACE, "-f", str(key)],
        input=message,
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode != 0:
        raise CannotSign("ssh-keygen made no signature")
    return done.stdout.decode("ascii", "replace")
