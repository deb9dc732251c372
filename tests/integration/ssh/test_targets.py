"""How the gateway knows a target and logs in there: keys and passwords, known_hosts and host certificates."""

import asyncio
import contextlib
import threading

import asyncssh
import pytest
from ssh_stack import CONFIG

pytestmark = pytest.mark.need_sshd
ANY = {"groups": ("anything",)}
PASSWORD = "correct-horse-battery"
REFUSED = b"doorward: the target is not available: "


class Target:
    """An SSH server in a thread that says by what somebody has logged in, and what it was given as a secret."""

    def __init__(self, host_keys, authorized=None, **how):
        self.ready = threading.Event()
        self.host_keys, self.authorized, self.how = host_keys, authorized, how
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.thread.start()
        assert self.ready.wait(60)

    async def _serve(self):
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        target = self

        connections = []

        class Server(asyncssh.SSHServer):
            def connection_made(self, conn):
                connections.append(conn)

            def begin_auth(self, username):
                return True

            def password_auth_supported(self):
                return target.authorized is None

            def validate_password(self, username, password):
                return (username, password) == ("worker", PASSWORD)

            def public_key_auth_supported(self):
                return target.authorized is not None

            def validate_public_key(self, username, key):
                return username == "worker" and key == target.authorized

        def shell(process):
            process.stdout.write(f"in, with {PASSWORD}.\n")
            process.exit(0)

        server = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Server, process_factory=shell, server_host_keys=self.host_keys, **self.how
        )
        self.port = server.get_port()
        self.ready.set()
        await self.over.wait()
        server.close()
        await server.wait_closed()
        for connection in connections:
            connection.abort()
            await connection.wait_closed()
        await asyncio.sleep(0)  # the transports are closed in the next step

    def close(self):
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(60)


@pytest.fixture
def reached(own_ssh_gateway, tmp_path):
    """Put a gateway before a target, known and logged in to as said, and run a command through it."""
    with contextlib.ExitStack() as stack:

        def run(target, known, login="password: {file: SECRET}", more="", secret=PASSWORD):
            stack.callback(target.close)
            path = tmp_path / "secret"
            path.write_text(secret)
            words = {"port: {target}": f"port: {target.port}{more}", "{user: {user}}": f"{{user: worker, {login}}}"}
            config = CONFIG.replace("{{", "{").replace("}}", "}")
            for old, new in words.items():
                config = config.replace(old, new, 1)
            config = config.replace("SECRET", str(path)).replace("{", "{{").replace("}", "}}")
            for name in ("port", "sockets", "admin", "issuer", "known", "user", "level"):
                config = config.replace(f"{{{{{name}}}}}", f"{{{name}}}")
            return own_ssh_gateway(config=config, known=known).ssh("anything", **ANY)

        yield run


def keyed():
    return asyncssh.generate_private_key("ssh-ed25519")


def line(key):
    return key.export_public_key().decode().strip()


def test_a_password_logs_in_and_is_not_shown_to_anybody(reached):
    key = keyed()
    done = reached(Target([key]), f"host_key: {line(key)}")
    assert (done.returncode, done.stdout) == (0, b"in, with [masked:secret].\n")


def test_a_target_that_has_a_post_quantum_exchange_alone_is_reached(reached):
    key = keyed()
    done = reached(Target([key], kex_algs=["mlkem768x25519-sha256"]), f"host_key: {line(key)}")
    assert done.returncode == 0, done


def test_a_target_without_a_sound_exchange_is_not_talked_to(reached):
    key = keyed()
    done = reached(Target([key], kex_algs=["diffie-hellman-group14-sha1"]), f"host_key: {line(key)}")
    assert done.returncode == 255
    assert done.stderr.startswith(REFUSED)


def test_a_wrong_password_is_said_to_be_refused(reached):
    key = keyed()
    done = reached(Target([key]), f"host_key: {line(key)}", secret="another")
    assert (done.returncode, done.stderr) == (255, REFUSED + b"it refused the gateway's login\n")


def test_a_private_key_logs_in(reached):
    key, login = keyed(), keyed()
    text = login.export_private_key().decode()
    target = Target([key], authorized=login.convert_to_public())
    done = reached(target, f"host_key: {line(key)}", login="", more=", keys: {deploy: {file: SECRET}}", secret=text)
    assert (done.returncode, done.stdout) == (0, f"in, with {PASSWORD}.\n".encode())


def test_a_target_is_known_by_a_file_of_hosts(reached, tmp_path):
    key, other = keyed(), keyed()
    target = Target([key])
    path = tmp_path / "known_hosts"
    path.write_text(f"[127.0.0.1]:{target.port} {line(key)}\n[127.0.0.2]:{target.port} {line(other)}\n")
    assert reached(target, f"known_hosts: {path}").returncode == 0


def test_a_target_that_the_file_has_another_key_for_is_not_talked_to(reached, tmp_path):
    target = Target([keyed()])
    path = tmp_path / "known_hosts"
    path.write_text(f"[127.0.0.1]:{target.port} {line(keyed())}\n")
    done = reached(target, f"known_hosts: {path}")
    assert (done.returncode, done.stderr) == (255, REFUSED + b"its host key is not the one that it is known by\n")


@pytest.mark.parametrize(("name", "status"), [("127.0.0.1", 0), ("127.0.0.2", 255)])
def test_a_target_is_known_by_its_authority_and_its_name(reached, name, status):
    authority, key = keyed(), keyed()
    certificate = authority.generate_host_certificate(key, "web1", principals=[name])
    done = reached(Target([(key, certificate)]), f"host_ca: {line(authority)}")
    assert done.returncode == status


def test_a_bare_key_is_no_certificate_of_the_authority(reached):
    authority = keyed()
    assert reached(Target([authority]), f"host_ca: {line(authority)}").returncode == 255
