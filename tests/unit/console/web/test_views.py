import re

import jinja2
import pytest

from doorward_console.web.assets import Assets
from doorward_console.web.views import TEMPLATES, Views, clock, count, line, moment, span, stamp

S = 1_000_000_000


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (95, "1 min 35 s"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_span_has_its_two_largest_units(seconds, words):
    assert span(seconds * S) == words


def test_times_are_utc():
    at = 1_800_000_000 * S
    assert (moment(at), clock(at), stamp(at)) == ("2027-01-15 08:00:00 UTC", "08:00:00", "2027-01-15T08:00:00Z")
    assert moment(0) == "-"


def test_numbers_have_their_noun():
    assert (count(1, "line"), count(1200, "line"), count(2, "reply", "replies")) == (
        "1 line",
        "1,200 lines",
        "2 replies",
    )


def test_a_line_stays_one():
    assert line("a\nb\u202e") == "a<U+000A>b<U+202E>"


def test_a_name_that_a_template_does_not_know_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        Views(Assets()).render("refusal.html", {})


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_ap_04_no_template_trusts_what_it_is_given_or_runs_anything_inline(path):
    text = path.read_text()
    assert not re.search(r"\|\s*safe\b|autoescape|Markup", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son[a-z]+\s*=|\sstyle\s*=|<style|javascript:", text)
    assert text.startswith("{% extends") or path.name == "base.html" or "<html" not in text
