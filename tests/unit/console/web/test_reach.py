import pytest
import trio

from doorward_console.settings import GatewaySettings
from doorward_console.web import reach
from doorward_core.errors import ConfigError
from doorward_core.model import Secret
from doorward_core.net.control import ControlServer, Problem, Reply, Route, json_reply
from doorward_core.net.listen import open_unix

TOKEN = Secret("t")


@pytest.fixture
async def gateway(tmp_path, nursery):
    async def echo(call):
        await trio.lowlevel.checkpoint()
        return json_reply({"path": call.path, "query": dict(call.query), "body": call.body.decode()})

    async def huge(_call):
        await trio.lowlevel.checkpoint()
        return Reply(200, b"{" + b" " * (reach.MAX_ANSWER_BYTES + 1) + b"}")

    async def refuse(_call):
        await trio.lowlevel.checkpoint()
        raise Problem(409, "not now")

    async def odd(_call):
        await trio.lowlevel.checkpoint()
        return Reply(200, b"[]")

    async def slow(_call):
        await trio.sleep_forever()

    routes = [
        Route("GET", "/v1/echo/{a}", echo, public=True),
        Route("POST", "/v1/echo/{a}", echo, public=True),
        Route("GET", "/v1/huge", huge, public=True),
        Route("GET", "/v1/refuse", refuse, public=True),
        Route("POST", "/v1/refuse", refuse, public=True),
        Route("GET", "/v1/odd", odd, public=True),
        Route("GET", "/v1/slow", slow, public=True),
    ]
    await nursery.start(ControlServer(routes).server([open_unix(tmp_path / "s")], lambda _e, _p: None).serve)
    made = reach.Gateway("pg", GatewaySettings(control=f"unix:{tmp_path / 's'}"))
    yield made
    await made.aclose()
    nursery.cancel_scope.cancel()


async def test_what_is_asked_arrives_and_names_cannot_leave_their_place(gateway):
    answer = await gateway.get(TOKEN, "echo", "ap-1", query={"state": "all & more"})
    assert answer == {"path": "/v1/echo/ap-1", "query": {"state": "all & more"}, "body": ""}
    with pytest.raises(reach.GatewayRefused):
        await gateway.get(TOKEN, "echo", "../../admin")
    assert (await gateway.post(TOKEN, "echo", "x", body={"a": 1}))["body"] == '{"a":1}'


async def test_a_refusal_has_the_gateways_words(gateway):
    with pytest.raises(reach.GatewayRefused, match="not now") as caught:
        await gateway.get(TOKEN, "refuse")
    assert caught.value.status == 409


@pytest.mark.parametrize("path", ["huge", "odd"])
async def test_what_is_no_answer_of_a_gateway_counts_as_down(gateway, path):
    with pytest.raises(reach.GatewayDown):
        await gateway.get(TOKEN, path)


async def test_a_gateway_that_does_not_answer_in_time_is_down(gateway, monkeypatch):
    monkeypatch.setattr(reach, "ANSWER_S", 0.05)
    with pytest.raises(reach.GatewayDown, match="in time"):
        await gateway.get(TOKEN, "slow")


async def test_several_are_asked_at_once_and_the_silent_are_named(gateway, tmp_path):
    gone = reach.Gateway("gone", GatewaySettings(control=f"unix:{tmp_path / 'no'}"))
    told, down = await reach.ask_all((gone, gateway), TOKEN, "echo", "x")
    assert [one.gateway for one in told] == ["pg"]
    assert [(one.gateway, one.why) for one in down] == [("gone", "it cannot be reached")]
    told, down = await reach.ask_all((gateway,), TOKEN, "refuse")
    assert (told, down[0].why) == ([], "it refused: not now")
    await gone.aclose()


def test_an_authority_that_cannot_be_read_is_a_fault_of_the_settings(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    bad = GatewaySettings(control="https://gw.test:1", ca=tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        reach.usable({"pg": bad})


async def test_telling_several_says_of_each_what_came_of_it(tmp_path, gateway):
    gone = reach.Gateway("gone", GatewaySettings(control=f"unix:{tmp_path}/nothing"))
    answers = await reach.tell_all((gone, gateway), TOKEN, "echo", "x", body={"a": 1})
    assert [(one.gateway, one.ok, one.status) for one in answers] == [("gone", False, 0), (gateway.name, True, 200)]
    assert answers[0].why == "it cannot be reached"
    assert answers[1].answer["body"] == '{"a":1}'
    refused = await reach.told_by(gateway, TOKEN, "refuse", body={})
    assert (refused.ok, refused.status, refused.why) == (False, 409, "it refused: not now")
    await gone.aclose()


async def test_a_gateway_that_says_no_is_told_from_one_that_says_nothing(tmp_path, gateway):
    gone = reach.Gateway("gone", GatewaySettings(control=f"unix:{tmp_path}/nothing"))
    _, down = await reach.ask_all((gone, gateway), TOKEN, "refuse")
    assert [one.refused for one in down] == [False, True]
    await gone.aclose()
