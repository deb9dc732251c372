async def test_a_review_at_a_gateway_that_is_not_there_is_refused(stand):
    client = await stand.login()
    csrf = stand.csrf((await client.get("/")).text)
    assert (await client.post("/break-glass/no/bg-1/review", data={"csrf": csrf, "words": "x"})).status_code == 404


async def test_a_review_that_the_gateway_did_not_hear_says_so(stand):
    stand.configure(more='  k8s: {control: "unix:nothing.sock"}\n')
    client = await stand.login()
    csrf = stand.csrf((await client.get("/")).text)
    answer = await client.post("/break-glass/k8s/bg-1/review", data={"csrf": csrf, "words": "x"})
    assert answer.status_code == 502
    assert "Look before you do it again" in answer.text
