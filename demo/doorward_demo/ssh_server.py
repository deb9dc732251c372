"""An SSH server for a machine that has none, and may not install one: the host of the demonstration.

What it is: asyncssh's server on loopback, which believes certificates of one authority for this user, and runs what it
is asked to by the user's own shell, in a terminal where one was asked for.
What it will not do: replace sshd: no files, no forwards, no other user.

Run it: `python -m doorward_demo.ssh_server --port 2200 --key host.key --trusted ca.pub`; it serves until SIGTERM.
"""

import argparse
import asyncio
import contextlib
import fcntl
import getpass
import os
import pwd
import struct
import termios
from pathlib import Path

import asyncssh


def _shell() -> str:
    return pwd.getpwuid(os.geteuid()).pw_shell or "/bin/sh"


async def _serve(process: "asyncssh.SSHServerProcess[bytes]") -> None:
    command = [_shell(), "-c", process.command] if process.command else [_shell(), "-l"]
    if process.term_type is None:
        child = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
        await process.stdout.drain()
        process.exit(await child.wait())
        return
    ours, theirs = os.openpty()
    columns, rows, *_ = process.term_size
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows or 24, columns or 80, 0, 0))
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": process.term_type},
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    with contextlib.suppress(OSError):
        await process.redirect(stdin=os.dup(ours), stdout=ours, send_eof=False)
    status = await child.wait()
    with contextlib.suppress(OSError):
        await process.stdout.drain()
    process.exit(status)


class _Server(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - asyncssh asks by name
        return True


async def _main(port: int, key: Path, authority: str) -> None:
    await asyncssh.create_server(
        _Server,
        "127.0.0.1",
        port,
        server_host_keys=[str(key)],
        authorized_client_keys=asyncssh.import_authorized_keys(authority),
        process_factory=_serve,
        encoding=None,
        line_editor=False,
    )
    await asyncio.get_running_loop().create_future()


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="An SSH server for the demonstration.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--trusted", type=Path, required=True)
    given = parser.parse_args()
    line = given.trusted.read_text(encoding="ascii").strip()
    authority = f'cert-authority,principals="{getpass.getuser()}" {line}\n'
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(given.port, given.key, authority))


if __name__ == "__main__":
    main()
