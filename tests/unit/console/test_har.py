import base64
import json
from datetime import datetime

import pytest

from doorward_console.exchanges import Answer, Exchange
from doorward_console.har import Cutter, har

MS = 1_000_000
KEY = "ghp_" + "Ab3" * 12  # the shape of a GitHub token, and none


def exchange(**changes):
    fields = {
        "operation": b"o" * 16, "index": 7, "began_unix_ns": 1_800_000_000_000 * MS, "verb": "POST",
        "target": "/customers/42?limit=5&q=a+b", "place": "/crm", "authority": "gw.example:8443",
        "headers": (("content-type", "application/json"), ("user-agent", "curl")), "body": '{"n": 1}',
        "reason": "rule", "rules": ("r",), "decided_unix_ns": 1_800_000_000_004 * MS, "finished": True, "code": "200",
        "bytes_up": 8, "bytes_down": 12, "duration_ns": 10 * MS, "masked": {"email": 1},
        "answer": Answer(200, "OK", (("content-type", "application/json"),), b'{"email": 1}'),
    }  # fmt: skip
    return Exchange(**{**fields, **changes})


def entry(**changes):
    archive = har([exchange(**changes)], session="ab", about={"subject": "crew-7", "resource": "crm"}, version="1")
    assert json.loads(json.dumps(archive)) == archive
    assert archive["log"]["version"] == "1.2"
    return archive["log"]["entries"][0]


def test_every_field_that_the_format_requires_is_there():
    made = entry()
    assert {"startedDateTime", "time", "request", "response", "cache", "timings"} <= made.keys()
    request = {"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"}
    response = {"status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL", "headersSize"}
    assert request | {"postData"} == made["request"].keys()
    assert response | {"bodySize"} == made["response"].keys()
    assert datetime.fromisoformat(made["startedDateTime"]).tzinfo
    assert made["time"] == sum(made["timings"].values()) == 10


def test_a_request_is_where_its_client_asked_with_what_it_sent():
    request = entry()["request"]
    assert request["url"] == "https://gw.example:8443/crm/customers/42?limit=5&q=a+b"
    assert request["queryString"] == [{"name": "limit", "value": "5"}, {"name": "q", "value": "a b"}]
    assert request["postData"] == {"mimeType": "application/json", "text": '{"n": 1}'}
    assert entry(place="crm.gateway.example")["request"]["url"].startswith("https://gw.example:8443/customers")


def test_the_wait_for_people_is_told_apart():
    assert entry()["timings"] == {"blocked": 4, "send": 0, "wait": 6, "receive": 0}


@pytest.mark.parametrize(
    ("changes", "secret"),
    [
        ({"body": '{"password": "hunter2"}'}, "hunter2"),
        ({"body": "a=1&client_secret=hunter2", "headers": (("content-type", "application/x-www-form-urlencoded"),)},
         "hunter2"),
        ({"body": f"please use {KEY} for it"}, KEY),
        ({"target": f"/files/{KEY}"}, KEY),
        ({"headers": (("x-api-key", "hunter2"),)}, "hunter2"),
        ({"headers": (("referer", f"https://a/{KEY}"),)}, KEY),
        ({"answer": Answer(200, "OK", (("content-type", "application/json"),), b'{"access_token": "hunter2"}')}, "hunter2"),
        ({"answer": Answer(302, "Found", (("location", "/cb?code=hunter2"),), b"")}, "hunter2"),
        ({"denied": True, "answer": None, "advice": f"not {KEY}"}, KEY),
    ],
)  # fmt: skip
def test_no_secret_is_in_it(changes, secret):
    assert secret not in json.dumps(entry(**changes))


def test_a_refused_request_says_so_and_a_lost_one_has_no_answer():
    refused = entry(denied=True, finished=False, code="", answer=None, advice="Ask the owners.")["response"]
    assert (refused["status"], refused["comment"]) == (403, "refused by the gateway: Ask the owners.")
    lost = entry(finished=False, code="", answer=None)["response"]
    assert (lost["status"], "no answer" in lost["comment"]) == (0, True)


def test_a_body_that_is_no_text_is_base64_and_one_in_latin_1_is_read():
    image = entry(answer=Answer(200, "OK", (("content-type", "image/png"),), b"\x89PNG\xff\xfe\xfd\xfc"))
    content = image["response"]["content"]
    assert (content["encoding"], base64.b64decode(content["text"])) == ("base64", b"\x89PNG\xff\xfe\xfd\xfc")
    latin = Answer(200, "OK", (("content-type", "text/plain; charset=latin-1"),), b"caf\xe9 au lait")
    assert entry(answer=latin)["response"]["content"]["text"] == "caf\xe9 au lait"


def test_what_the_record_cut_is_said_to_be_and_a_cut_character_left_out():
    cut = Answer(
        200, "OK", (("content-type", "text/plain"),), "né".encode()[:-1], "the record keeps the beginning only"
    )
    content = entry(answer=cut, bytes_down=90_000)["response"]["content"]
    assert (content["text"], content["size"], content["comment"]) == ("n", 90_000, cut.note)


def test_a_cutter_leaves_what_is_none_alone():
    text = '{"name": "Ada", "keyword": "x"}'
    assert Cutter().text(text) == text
