"""Whatever is typed into a search gives an answer or words; it is never syntax, and changes nothing."""

import contextlib

import index_stand
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doorward_console.index import build, query
from doorward_console.index.build import Source
from doorward_console.index.found import Search
from doorward_console.index.question import read
from doorward_console.index.times import NoTime, since, until

SYNTAX = ["AND", "OR", "NOT", "NEAR(", ")", "(", '"', "*", "^", ":", "{", "}", "-", "+", "'", ";", "--", "\x00", "\ud800",
          "facets", "text", "customer", "42", "%", "_", "\\", "\u202e", "🙂", "\n"]  # fmt: skip
typed = st.one_of(
    st.text(max_size=600),
    st.lists(st.sampled_from(SYNTAX), max_size=30).map(" ".join),
    st.lists(st.sampled_from(SYNTAX), max_size=30).map("".join),
)
NAMES = [name for name in Search.__dataclass_fields__ if name not in {"since_unix_ns", "until_unix_ns", "live"}]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    log = index_stand.write(folder / "log", index_stand.story())
    build.update(folder / "index.sqlite", [Source("gw", log)])
    return folder / "index.sqlite"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(NAMES), typed, max_size=4), st.integers(-(2**70), 2**70))
def test_any_search_is_answered(path, what, number):
    with query.Index.open(path) as index:
        everything = {row.operation for row in query.operations(index, Search()).rows}
        search = Search(**what)
        found = query.operations(index, search, before=number, limit=number)
        assert {row.operation for row in found.rows} <= everything
        query.sessions(index, search, before=number)
        query.who_changed(index, what.get("table", "x"), what.get("text", ""))
        query.request(index, what.get("text", ""))
        query.session(index, what.get("identity", ""))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed)
def test_any_question_is_read_and_answered(path, question):
    with query.Index.open(path) as index:
        search = read(question, index_stand.NOW, lambda name: query.is_touched(index, name)).search
        query.operations(index, search)


@settings(max_examples=300, deadline=None)
@given(typed)
def test_any_text_is_a_time_or_none(text):
    for meaning in (since, until):
        with contextlib.suppress(NoTime):
            assert meaning(text, index_stand.NOW) >= 0
