from doorward_console.web.openings import owed


async def test_openings_of_all_gateways_newest_first_and_ones_own_known(stand):
    stand.configure(more='  k8s: {control: "unix:nothing.sock"}\n')
    client = await stand.login()
    person = stand.desk.sessions.find(client.cookies["__Host-doorward"]).person
    stand.openings = [
        {"id": "bg-1", "subject": "olga", "opened_unix_ns": 1, "until_unix_ns": 2, "resource": "a", "reason": "x"},
        {"id": "bg-2", "subject": "tom", "opened_unix_ns": 5, "until_unix_ns": 6, "resource": 7},
        "no opening",
    ]
    found = await owed(stand.desk, person)
    assert [(row.id, row.mine, row.resource) for row in found] == [("bg-2", True, ""), ("bg-1", False, "a")]
    assert found[0].review_path == "/break-glass/pg/bg-2/review"
