import hashlib
import json

from passkey import Authenticator

from doorward_core.approvals.passkeys import enrolment
from doorward_core.approvals.webauthn import base64url


async def test_a_gateway_that_takes_no_passkeys_is_named(stand):
    text = (await (await stand.login()).get("/passkeys")).text
    assert "takes none" in text
    assert "None of the gateways" in text


async def test_the_challenge_is_over_the_person_who_is_logged_in(stand):
    client = await stand.login()
    csrf = stand.csrf((await client.get("/passkeys")).text)
    answer = await client.post("/passkeys/challenge", data={"csrf": csrf, "label": " my key ", "subject": "tina"})
    signed = enrolment("tom", stand.issuer.url, "my key")
    assert answer.json() == {"challenge": base64url(hashlib.sha256(signed).digest())}


async def test_what_is_no_passkey_is_told(stand):
    client = await stand.login()
    csrf = stand.csrf((await client.get("/passkeys")).text)
    for response in ("", "{", "[]", '{"subject": "tom"}', "[" * 5000):
        answer = await client.post("/passkeys/check", data={"csrf": csrf, "rp_id": "desk.test", "response": response})
        assert answer.status_code == 400
        assert "problem" in answer.json()


async def test_the_fingerprint_is_the_one_that_the_operators_command_shows(stand):
    device = Authenticator("desk.test", "https://desk.test")
    client = await stand.login()
    csrf = stand.csrf((await client.get("/passkeys")).text)
    form = {"csrf": csrf, "rp_id": "desk.test", "response": json.dumps(device.enrol("tom", stand.issuer.url))}
    answer = await client.post("/passkeys/check", data=form)
    assert answer.json() == {"fingerprint": device.passkey("tom", stand.issuer.url).fingerprint}
