"""The process itself, with TLS and on a Unix socket, and its way down."""

import os
import signal
import socket
import ssl

import httpx2
import pytest
import trio

from doorward_console.settings import load_settings
from doorward_console.web import serve
from doorward_console.web.serve import server_config
from doorward_core.errors import ConfigError
from doorward_core.record.reader import LogReader
from doorward_demo.certificates import write_certificates
from doorward_demo.postgres import free_port

SETTINGS = """\
version: 1
url: {url}
listen: {listen}
login: {{issuer: https://id.example, client_id: desk}}
roles: {{approver: [dba]}}
gateways: {{pg: {{control: "unix:control"}}}}
record: {{folder: log, keys: keys, origin: desk.test}}
"""


def settings_of(folder, url, listen):
    (folder / "desk.yaml").write_text(SETTINGS.format(url=url, listen=listen))
    return load_settings(folder / "desk.yaml")


async def served(settings, ask):
    """Serve, ask once, and go down by a signal."""
    answers = []
    async with trio.open_nursery() as nursery:
        ready = trio.Event()

        async def run():
            await serve.serve(settings, started=lambda _: ready.set())

        nursery.start_soon(run)
        with trio.fail_after(60):
            await ready.wait()
            answers.append(await ask())
            os.kill(os.getpid(), signal.SIGTERM)
    return answers[0]


async def test_over_tls_it_speaks_both_versions_of_http_and_is_strict_about_it(tmp_path):
    write_certificates(tmp_path / "tls")
    port = free_port()
    listen = f"{{address: 127.0.0.1, port: {port}, tls: {{certificate: tls/server.crt, key: tls/server.key}}}}"
    settings = settings_of(tmp_path, f"https://localhost:{port}", listen)
    context = ssl.create_default_context(cafile=tmp_path / "tls/ca.crt")

    async def ask():
        async with httpx2.AsyncClient(verify=context, trust_env=False) as client:
            return await client.get(f"{settings.url}/login")

    answer = await served(settings, ask)
    assert answer.status_code == 200
    assert "strict-transport-security" in answer.headers
    assert "server" not in answer.headers
    assert [entry.kind for entry in LogReader(tmp_path / "log").entries()] == ["log.opened", "log.closed"]
    assert server_config(settings).create_ssl_context().minimum_version >= ssl.TLSVersion.TLSv1_2


async def test_on_a_unix_socket_that_only_its_user_opens_and_that_is_gone_afterwards(tmp_path):
    settings = settings_of(tmp_path, "https://desk.test", "{unix: desk.sock}")
    path = tmp_path / "desk.sock"

    async def ask():
        assert path.stat().st_mode & 0o077 == 0
        async with httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(uds=str(path))) as client:
            return await client.get("http://desk.test/login")

    assert (await served(settings, ask)).status_code == 200
    assert not path.exists()


async def test_a_client_that_never_finishes_does_not_keep_it_from_ending(tmp_path):
    settings = settings_of(tmp_path, "https://desk.test", "{unix: desk.sock}")

    async def ask():
        stream = await trio.open_unix_socket(tmp_path / "desk.sock")
        await stream.send_all(b"GET /login HTTP/1.1\r\nHost: desk.test\r\n")  # and never goes on
        return stream

    with trio.fail_after(serve.GRACE_S + 60):
        stream = await served(settings, ask)
    await stream.aclose()


async def test_an_address_that_is_taken_is_named_with_its_key_and_nothing_is_opened(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = settings_of(tmp_path, f"http://localhost:{port}", f"{{address: 127.0.0.1, port: {port}}}")
        with pytest.raises(ConfigError, match=rf"^listen: 127\.0\.0\.1:{port}: Address already in use$"):
            await serve.serve(settings)
    assert not (tmp_path / "log").exists()


async def test_the_socket_of_a_desk_that_runs_is_not_taken_away_and_what_a_dead_one_left_is(tmp_path):
    settings = settings_of(tmp_path, "https://desk.test", "{unix: desk.sock}")
    path = tmp_path / "desk.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert serve.problems(settings) == ()
        with pytest.raises(ConfigError, match=r"^listen: .*desk\.sock: another process listens there$"):
            await serve.serve(settings)
        assert path.is_socket()

    async def ask():
        return path.is_socket()

    assert await served(settings, ask)


def test_what_would_not_work_is_said_before_it_is_tried(tmp_path, monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    settings = settings_of(tmp_path, "https://desk.test", "{unix: desk.sock}")
    assert serve.problems(settings) == ()
    login = settings.login.model_copy(update={"secret": _source()})
    assert "NOT_SET" in serve.problems(settings.model_copy(update={"login": login}))[0]


def _source():
    from doorward_core.config_secrets import SecretSource  # noqa: PLC0415 - beside its only use

    return SecretSource(env="NOT_SET")


@pytest.mark.parametrize("name", ["server.crt"])
def test_a_certificate_that_is_none_is_told(tmp_path, name):
    write_certificates(tmp_path / "tls")
    (tmp_path / "tls" / name).write_text("no certificate")
    listen = "{address: 127.0.0.1, port: 1, tls: {certificate: tls/server.crt, key: tls/server.key}}"
    found = serve.problems(settings_of(tmp_path, "https://desk.test", listen))
    assert "cannot be used" in found[0]
