"""What a person with curl sees: allowed, refused, held, unknown."""



def test_an_allowed_request_reaches_the_target_with_the_targets_credential_and_not_the_clients(http):
    answer = http.curl("/crm/customers/42")
    assert answer.status == 200, (answer, http.said())
    assert answer.json["name"] == "Grace"
    (seen,) = http.crm.seen
    assert (seen.method, seen.target) == ("GET", "/customers/42")
    assert http.token()[:20].encode() not in bytes(http.recorder.sent)
    assert len(seen.header("authorization")) == 1
    assert seen.header("host") == [f"127.0.0.1:{http.recorder.port}"]
