import re
from html.parser import HTMLParser

import jinja2
import pytest
from evidence_stand import unpacked

from doorward_console.evidence.pages import environment

VOID = {"meta", "br", "link", "img"}


class Walk(HTMLParser):
    """Tags, attributes and texts of a page; every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def walked(made):
    found = {}
    for name, data in unpacked(made).items():
        if name.endswith(".html"):
            found[name] = Walk()
            found[name].feed(data.decode())
            assert found[name].open == [], name
    return found


def test_pages_load_nothing_and_run_nothing(walked):
    for name, page in walked.items():
        assert not {"script", "img", "link", "iframe", "form", "object", "base", "svg"} & set(page.tags), name
        for key, value in page.attributes:
            assert not key.startswith("on")
            if key in {"href", "src"}:
                assert re.fullmatch(r"(\.\./)?[A-Za-z0-9._/~-]*(#[A-Za-z0-9.-]+)?", value), value


def test_every_link_leads_to_something_that_is_there(walked, made):
    names = set(unpacked(made))
    for name, page in walked.items():
        folder = name.rpartition("/")[0]
        for key, value in page.attributes:
            if key != "href":
                continue
            file, _, anchor = value.partition("#")
            target = name if not file else f"{folder}/{file}".replace("report/../", "").removeprefix("/")
            assert target in names, f"{name}: {value}"
            if anchor and target in walked:
                assert ("id", anchor) in walked[target].attributes, f"{name}: {value}"


def test_what_others_wrote_is_text_and_harmless(walked):
    whole = "".join("".join(page.texts) for page in walked.values())
    assert "<script>alert(1)</script>" in whole
    assert "<U+202E>" in whole
    assert "<U+001B>" in whole
    for name, page in walked.items():
        text = "".join(page.texts) + "".join(str(value) for _, value in page.attributes)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", text), name


def test_every_number_that_is_not_zero_leads_to_its_events(made):
    page = unpacked(made)["report.html"].decode()
    for name, digits in re.findall(r'data-figure="([^"]+)">([0-9,]+)<', page):
        linked = f'<a href="report/{name}.html" data-figure="{name}">{digits}</a>'
        assert (linked in page) == (digits != "0")


def test_a_template_that_misses_a_value_is_a_fault():
    with pytest.raises(jinja2.UndefinedError):
        environment().get_template("figure.html").render()
