"""What a person with curl sees: allowed, masked, refused, held, unknown."""

import json
import threading

import pytest
from http_stack import CRM_TOKEN, MASKS, POLICY

from doorward_core.event import EventKind


def test_an_allowed_request_reaches_the_target_with_the_targets_credential_and_not_the_clients(http):
    token = http.token()
    answer = http.curl("/crm/customers/42", token=token)
    assert (answer.status, answer.json["name"]) == (200, "Grace"), http.said()
    (seen,) = http.crm.seen
    assert (seen.method, seen.target) == ("GET", "/customers/42")
    assert seen.header("authorization") == [f"Bearer {CRM_TOKEN}"]
    assert seen.header("host") == [f"127.0.0.1:{http.recorder.port}"]
    assert token.encode() not in bytes(http.recorder.sent)
    assert answer.headers["cache-control"] == "private, no-store"


def test_a_resource_is_found_by_its_host_as_well(http):
    answer = http.curl("/customers?limit=1", "-H", f"Host: crm.localhost:{http.port}")
    assert (answer.status, len(answer.json["customers"])) == (200, 1)
    assert [seen.target for seen in http.crm.seen] == ["/customers?limit=1"]


def test_what_was_asked_and_answered_is_on_record(http):
    http.curl("/crm/customers/41?api_key=hunter2&view=full")
    (finished,) = http.until_recorded(EventKind.OPERATION_FINISHED, "view=full")
    assert (finished.header["code"], finished.header["status"]) == ("200", "ok")
    assert finished.payload["shown_format"] == "http.message"
    shown = finished.payload["shown"]
    assert shown.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Ada" in shown
    (decided,) = http.until_recorded(EventKind.OPERATION_DECIDED, "view=full")
    assert (decided.header["verb"], decided.header["action"], decided.header["verdict"]) == ("GET", "read", "permit")
    assert decided.payload["text"].startswith("GET /customers/41?api_key=…&view=full\n")
    assert "authorization" not in decided.payload["text"].lower()


def test_a_refusal_can_be_acted_on(http):
    answer = http.curl("/crm/customers/42", "-X", "DELETE")
    assert (answer.status, answer.headers["content-type"]) == (403, "application/problem+json")
    problem = answer.json
    assert problem["type"] == "urn:doorward:refused"
    assert problem["detail"] == "doorward refused DELETE: No rule allows write by DELETE /customers/42."
    assert problem["retry"] is False
    assert problem["entry"] > 0
    assert bytes(http.recorder.sent) == b""


def test_without_a_token_nobody_learns_what_there_is(http):
    for path in ("/crm/customers", "/nowhere"):
        answer = http.curl(path, auth=False)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="doorward"')
        wrong = http.curl(path, token="e30.e30.e30")
        assert (wrong.status, wrong.headers["www-authenticate"]) == (
            401,
            'Bearer realm="doorward", error="invalid_token"',
        )
    assert bytes(http.recorder.sent) == b""


def test_strangers_are_told_so_and_members_learn_that_a_place_is_empty(http):
    stranger = http.curl("/crm/customers", groups=("nobody",))
    assert (stranger.status, stranger.json["type"]) == (403, "urn:doorward:refused")
    assert http.curl("/elsewhere").status == 404
    assert bytes(http.recorder.sent) == b""


def test_a_block_on_a_query_speaks_in_the_operators_words(http):
    assert http.curl("/crm/customers?limit=1").status == 200
    answer = http.curl("/crm/customers?EXPORT=csv")
    assert answer.status == 403
    assert "Exports are made by the data office." in answer.json["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [('{"percent": 5}', 200), ('{"percent": 50}', 403), ('{"percent": 5, "PERCENT": 50}', 403), ("{", 403), ("", 403)],
)
def test_a_body_is_decided_on_by_path(http, body, status):
    answer = http.curl("/crm/discounts", "-H", "content-type: application/json", "-d", body)
    assert answer.status == status, answer
    assert [seen.body for seen in http.crm.seen] == ([body.encode()] if status == 200 else [])


AS_JSON = ("-H", "content-type: application/json")


def test_a_held_request_is_approved_and_answered_on_the_same_connection(http):
    waiting = http.curling("/crm/orders", "-d", '{"customer": 42}', "-H", "content-type: application/json")
    (asked,) = http.waiting()
    assert '{"customer": 42}' in json.dumps(http.call("GET", f"/v1/approvals/{asked['id']}", http.approver())).replace(
        '\\"', '"'
    )
    assert bytes(http.recorder.sent) == b""
    assert http.vote(asked["id"])[0] == 200
    answer = http.finished(waiting)
    assert (answer.status, answer.json) == (201, {"order": 7})
    assert answer.headers["location"] == "/crm/orders/7"
    assert [seen.body for seen in http.crm.seen] == [b'{"customer": 42}']


def test_what_is_masked_on_its_way_up_is_masked_for_approvers_and_on_record_too(own_http):
    up = "masks: [{id: up, resource: crm, detect: [card], flow: in, with: partial}]\n"
    http = own_http(policy=POLICY + up)
    waiting = http.curling("/crm/orders?ref=4111111111111111", "-d", '{"pay": "4111111111111111"}', *AS_JSON)
    (asked,) = http.waiting()
    shown = json.dumps(http.call("GET", f"/v1/approvals/{asked['id']}", http.approver()))
    assert "************1111" in shown
    assert "4111111111111111" not in shown
    assert http.vote(asked["id"])[0] == 200
    assert http.finished(waiting).status == 201
    assert [seen.body for seen in http.crm.seen] == [b'{"pay": "************1111"}']
    http.until_recorded(EventKind.OPERATION_FINISHED)
    assert not [entry for entry in http.entries() if b"4111111111111111" in repr(entry.payload).encode()]


def test_a_rejected_request_says_who_would_not_and_does_not_run(http):
    waiting = http.curling("/crm/orders", "-d", "x=1")
    (asked,) = http.waiting()
    http.vote(asked["id"], "reject", reason="not before Monday")
    answer = http.finished(waiting)
    assert (answer.status, answer.json["type"]) == (403, "urn:doorward:rejected")
    assert "not before Monday" in answer.json["detail"]
    assert bytes(http.recorder.sent) == b""


def test_a_hold_ends_before_the_client_gives_up_and_the_identical_retry_passes_once(own_http):
    http = own_http(hold="1s")
    order = ("/crm/orders", "-d", '{"customer": 41}')
    first = http.curl(*order)
    assert (first.status, first.json["type"]) == (403, "urn:doorward:held")
    assert first.headers["retry-after"] == "5"
    name = first.json["approval"]["id"]
    assert first.json["approval"]["link"] == f"https://desk.example/approvals/{name}"
    assert first.json["retry"] is True
    again = http.curl(*order)
    assert again.json["approval"]["id"] == name
    (asked,) = http.waiting()
    assert asked["id"] == name
    http.vote(name, retry=True)
    other = http.curl("/crm/orders", "-d", '{"customer": 42}')
    assert other.json["approval"]["id"] != name
    assert http.crm.seen == []
    passed = http.curl(*order)
    assert (passed.status, passed.json) == (201, {"order": 7})
    once_more = http.curl(*order)
    assert once_more.status == 403
    assert once_more.json["approval"]["id"] != name
    assert [seen.body for seen in http.crm.seen] == [b'{"customer": 41}']


def test_a_client_that_hangs_up_while_held_runs_nothing(own_http):
    http = own_http()
    waiting = http.curling("/crm/orders/9", "-X", "PUT", "-d", "gone")
    (asked,) = http.waiting()
    waiting.kill()
    waiting.communicate()
    http.until_recorded(EventKind.SESSION_CLOSED)
    http.deserted(asked["id"])
    status, refused = http.vote(asked["id"])
    assert (status, "whoever asked is gone" in refused["detail"]) == (403, True)
    assert http.vote(asked["id"], retry=True)[0] == 200
    assert bytes(http.recorder.sent) == b""
    # The grant waits for the identical retry, and is used by it.
    assert http.curl("/crm/orders/9", "-X", "PUT", "-d", "gone").status == 200


def test_a_long_body_streams_and_is_declared_unseen(http):
    body = b"x" * (3 * 1024 * 1024)
    answer = http.curl("/crm/files/big", "-T", "-", stdin=body)
    assert (answer.status, answer.json["received"]) == (200, len(body))
    decided = [entry for entry in http.entries(EventKind.OPERATION_DECIDED) if entry.header["verb"] == "PUT"]
    assert decided[-1].header["unseen"] == ["body"]


def test_a_long_body_that_would_wait_for_people_is_refused(http):
    answer = http.curl(
        "/crm/orders", "-H", "content-type: text/plain", "--data-binary", "@-", stdin=b"x" * (2 * 1024 * 1024)
    )
    assert answer.status == 413
    assert "longer than the gateway keeps" in answer.json["detail"]
    assert bytes(http.recorder.sent) == b""


def test_values_are_masked_in_json_in_headers_and_on_record(own_http):
    http = own_http(policy=POLICY + MASKS)
    answer = http.curl("/crm/customers")
    assert answer.status == 200, answer
    text = answer.body.decode()
    assert "ada@example.com" not in text
    assert "4111111111111111" not in text
    assert [one["name"] for one in answer.json["customers"]] == ["Ada", "Grace"]
    assert "etag" not in answer.headers
    finished = http.until_recorded(EventKind.OPERATION_FINISHED)[-1]
    assert sum(finished.header["masked"].values()) == 4
    assert b"ada@example.com" not in finished.payload["shown"]
    clear = http.curl("/crm/customers", groups=("crew-sales", "privacy-office"))
    assert "ada@example.com" in clear.body.decode()


def test_a_body_that_cannot_be_masked_is_withheld(own_http):
    http = own_http(policy=POLICY + MASKS)
    http.crm.scripts["GET", "/scan"] = lambda crm, _: crm.send(
        200, b"%PDF-1.7 ada@example.com", ("content-type", "application/pdf")
    )
    answer = http.curl("/crm/scan")
    assert (answer.status, answer.json["type"]) == (502, "urn:doorward:unmaskable")
    assert b"ada@example.com" not in answer.body
    http.crm.scripts["GET", "/gone"] = lambda crm, _: crm.send(
        404, b"%PDF-1.7 ada@example.com", ("content-type", "application/pdf")
    )
    gone = http.curl("/crm/gone")
    assert (gone.status, gone.json["type"]) == (404, "urn:doorward:unmaskable")
    assert b"ada@example.com" not in gone.body
    http.crm.scripts["GET", "/cut"] = lambda crm, _: crm.send(
        200, b'{"email": "ada@exam', ("content-type", "application/json")
    )
    cut = http.curl("/crm/cut")
    assert (cut.status, cut.json["type"]) == (502, "urn:doorward:unmaskable")


def test_what_is_sent_can_be_masked_too(own_http):
    http = own_http(policy=POLICY + MASKS.replace("with: partial", "with: redact\n    flow: both"))
    answer = http.curl(
        "/crm/files/note", "-H", "content-type: application/json", "-d", '{"email": "ada@example.com", "n": 1}'
    )
    assert answer.status == 200, answer
    (seen,) = http.crm.seen
    assert b"ada@example.com" not in seen.body
    assert json.loads(seen.body)["n"] == 1


def test_a_target_that_is_gone_is_a_502_and_one_that_says_nothing_a_504(own_http):
    http = own_http(more="      timeouts: {answer: 1s}")
    told = threading.Event()
    http.crm.scripts["GET", "/slow"] = lambda _crm, _seen: told.wait(60)
    assert http.curl("/crm/slow").status == 504
    told.set()
    http.recorder.close()
    gone = http.curl("/crm/customers")
    assert (gone.status, gone.json["type"]) == (502, "urn:doorward:target")
    assert CRM_TOKEN not in http.said()


def test_a_credential_that_the_target_refuses_is_no_matter_of_the_clients_token(http):
    http.crm.scripts["GET", "/strict"] = lambda crm, _: crm.say(401, {}, ("www-authenticate", "Basic"))
    answer = http.curl("/crm/strict")
    assert answer.status == 502
    assert "www-authenticate" not in answer.headers


def test_the_target_is_told_who_asks_and_can_check_it(http):
    import jwt  # noqa: PLC0415 - for this test alone

    answer = http.curl("/crm/echo", "-H", "Doorward-Identity: forged", "-H", "Doorward_Identity: forged too")
    lines = [value for name, value in answer.json["headers"] if name.lower().replace("_", "-") == "doorward-identity"]
    keys = http.curl("/.well-known/doorward/jwks.json", auth=False).json
    key = jwt.PyJWK(keys["keys"][0])
    (said,) = lines
    claims = jwt.decode(said, key.key, algorithms=["EdDSA"], audience=f"http://127.0.0.1:{http.recorder.port}")
    assert (claims["iss"], claims["sub"], claims["groups"]) == ("gateway.test", "crew-1", ["crew-sales"])
    assert claims["exp"] - claims["iat"] <= 300


def test_one_connection_carries_several_requests_in_one_session(own_http):
    http = own_http()
    answer = http.curl("/crm/customers/41", "-o", "/dev/null", http.url("/crm/customers/42"))
    assert answer.code == 0
    (closed,) = http.until_recorded(EventKind.SESSION_CLOSED)
    assert closed.header["totals"]["permitted"] == 2
    assert len(http.entries(EventKind.SESSION_OPENED)) == 1
