import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection

import pytest

from doorward_demo import crm
from doorward_demo.dataset import customers
from doorward_demo.postgres import free_port

TOKEN = "crm-" + os.urandom(8).hex()
FIRST = next(customers(1))


@pytest.fixture
def port():
    """The CRM as a process, until the end of the test."""
    port = free_port()
    command = [sys.executable, "-m", "doorward_demo.crm", "--port", str(port)]
    with subprocess.Popen(command, env={**os.environ, "CRM_TOKEN": TOKEN}, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 120
        while True:
            try:
                socket.create_connection((crm.ADDRESS, port)).close()
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.02)
        yield port
        process.terminate()
        assert process.wait(120) == -signal.SIGTERM  # it keeps nothing that would want a proper end


def ask(port, method, path, body=None, token=TOKEN):
    connection = HTTPConnection(crm.ADDRESS, port, timeout=120)
    try:
        connection.request(method, path, body, {"authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.getheader("content-type", "")
    finally:
        connection.close()


def test_it_gives_customers_in_clear_deletes_them_and_keeps_notes(port):
    status, said, _ = ask(port, "GET", "/customers?limit=1")
    assert (status, json.loads(said)) == (200, [crm.shown(FIRST)])
    assert ask(port, "POST", "/customers/1/notes", '{"text": "called"}')[0] == 201
    assert [note["text"] for note in json.loads(ask(port, "GET", "/customers/1/notes")[1])] == ["called"]
    assert ask(port, "POST", "/customers/1/notes", "called")[0] == 400
    assert ask(port, "DELETE", "/customers/1")[0] == 204
    assert [ask(port, method, "/customers/1")[0] for method in ("GET", "DELETE")] == [404, 404]


def test_its_events_are_a_stream_with_values_in_the_middle_of_sentences(port):
    status, said, media = ask(port, "GET", "/events")
    assert (status, media.split(";")[0], said.count("data: ")) == (200, "text/event-stream", crm.EVENTS)
    assert f"write to {FIRST.email} and" in said


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/customers"), ("DELETE", "/customers/1"), ("POST", "/customers/1/notes"), ("GET", "/events")],
)
def test_it_answers_nobody_without_its_token(port, method, path):
    assert ask(port, method, path, token="another")[0] == 401
