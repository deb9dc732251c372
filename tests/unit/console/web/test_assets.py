import pytest

from doorward_console.web.assets import STATIC, Assets


async def test_a_file_is_kept_for_a_year_under_the_digest_of_its_content(stand):
    client = stand.client()
    path = stand.desk.assets.address("app.css")
    answer = await client.get(path)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.content == (STATIC / "app.css").read_bytes()
    stale = await client.get(path.partition("?")[0])
    assert stale.headers["cache-control"] == "no-cache"
    assert (await client.get(path, headers={"If-None-Match": answer.headers["etag"]})).status_code == 304


@pytest.mark.parametrize(
    "path", ["../app.py", "%2e%2e/app.py", "vendor/htmx.LICENSE", "", "vendor", "/etc/passwd", "x.css"]
)
async def test_nothing_else_is_served(stand, path):
    assert (await stand.client().get(f"/static/{path}")).status_code == 404


def test_a_file_that_is_not_there_is_a_defect():
    with pytest.raises(KeyError):
        Assets().address("no.css")


def test_scripts_are_plain_files_without_eval():
    own = list(STATIC.glob("*.js"))
    assert own
    for path in own:
        text = path.read_text()
        assert "eval(" not in text
        assert "innerHTML" not in text
        assert "http:" not in text
