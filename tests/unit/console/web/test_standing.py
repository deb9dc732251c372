"""Who has what beside the rules, over all gateways."""

import pytest

from doorward_console.web.standing import RevokedAt, Rights, rights, standing

DOWN = '  k8s: {control: "unix:nothing.sock"}\n'


@pytest.fixture
def person(stand):
    async def made(subject):
        client = await stand.login(subject)
        return stand.desk.sessions.find(client.cookies["__Host-doorward"]).person

    return made


async def test_what_stands_is_read_into_rows_the_soonest_over_first(stand, person):
    stand.listed["access"] = [
        {"id": "ap-2", "subject": "crew-2", "until_unix_ns": 9, "actions": "read", "by": ["tom", 7]},
        {"id": "ap-1", "subject": "crew-1", "until_unix_ns": 5, "actions": ["read", "write"], "sponsor": None},
        "nothing",
    ]
    found = (await standing(stand.desk, await person("tom"))).access
    assert [(row.id, row.actions, row.by, row.sponsor) for row in found] == [
        ("ap-1", ("read", "write"), (), ""),
        ("ap-2", (), ("tom",), ""),
    ]
    assert found[0].revoke_path == "/access/pg/ap-1/revoke"


async def test_what_was_revoked_with_the_same_words_is_one_row_and_the_newest_is_first(stand, person):
    alike = {"what": "subject", "value": "crew-7", "reason": "wild", "operator": "olga"}
    stand.listed["revocations"] = [
        {"id": "rv-1", "made_unix_ns": 5, **alike},
        {"id": "rv-2", "made_unix_ns": 4, **alike},
        {"id": "rv-3", "made_unix_ns": 8, **alike, "reason": "another time"},
    ]
    newest, alike_row = (await standing(stand.desk, await person("olga"))).revocations
    assert (newest.reason, newest.at) == ("another time", (RevokedAt("pg", "rv-3"),))
    assert (alike_row.made_unix_ns, alike_row.which) == (4, "pg:rv-1 pg:rv-2")


async def test_only_operators_are_asked_about_revocations_and_nobody_is_told_of_a_refusal(stand, person):
    stand.listed["revocations"] = [{"id": "rv-1", "what": "everything"}]
    found = await standing(stand.desk, await person("ana"))
    assert (found.revocations, found.operates, found.breaks, found.down) == ((), (), (), ())


async def test_a_gateway_that_is_down_is_named_once(stand, person):
    stand.configure(more=DOWN)
    who = await person("olga")
    found = await standing(stand.desk, who)
    assert [one.gateway for one in found.down] == ["k8s"]
    assert (found.operates, found.breaks) == (("pg",), ("pg",))
    assert await rights(stand.desk, who) == (Rights("pg", operator=True, break_glass=True),)
