from doorward_console.web.reach import Down, Told
from doorward_console.web.waiting import MAX_ROWS, gathered


def item(name, opened, **more):
    return {"id": name, "opened_unix_ns": opened, "missing": {"a": 1, "b": 2}, "rules": ["a", "b"], **more}


def test_several_gateways_make_one_list_newest_first():
    told = [
        Told("pg", {"approvals": [item("ap-1", 1), item("ap-3", 3)], "more": 4}),
        Told("k8s", {"approvals": [item("ap-2", 2)]}),
    ]
    found = gathered(told, [Down("ssh", "it cannot be reached")])
    assert [(row.gateway, row.id) for row in found.rows] == [("pg", "ap-3"), ("k8s", "ap-2"), ("pg", "ap-1")]
    assert (found.more, found.rows[0].missing, found.rows[0].path) == (4, 3, "/requests/pg/ap-3")
    assert found.down[0].gateway == "ssh"


def test_what_is_no_row_is_left_out():
    for answer in ({}, {"approvals": None}, {"approvals": [None, 7, {"id": 7}, []]}):
        assert gathered([Told("pg", answer)], ()).rows == ()


def test_a_row_of_the_wrong_types_is_shown_as_far_as_it_is_one():
    odd = item("ap-1", "x", text=7, flags="no", attributes=[], expires_unix_ns=None, missing=[])
    row = gathered([Told("pg", {"approvals": [odd]})], ()).rows[0]
    assert (row.text, row.flags, row.attributes, row.missing) == ("", (), {}, 0)


def test_a_page_is_bounded_and_says_how_many_there_are():
    found = gathered([Told("pg", {"approvals": [item(f"ap-{n}", n) for n in range(MAX_ROWS + 5)]})], ())
    assert (len(found.rows), found.more) == (MAX_ROWS, 5)
