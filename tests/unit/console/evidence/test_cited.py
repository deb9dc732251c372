from doorward_console.evidence import cited
from doorward_console.evidence.cited import Cited, value_of
from doorward_console.evidence.opening import Opener


def test_entries_are_told_once_in_pages_and_can_be_found(told, monkeypatch):
    monkeypatch.setattr(cited, "PAGE", 5)
    citing = Cited([told.source()], [Opener(None)])
    citing.add([(0, index) for index in (7, 3, 3, 9, 1, 0, 2)])
    pages = citing.read()
    assert [[one.index for one in page] for page in pages] == [[0, 1, 2, 3, 7], [9]]
    assert citing.href((0, 9)) == "report/entries-002.html#e-0-9"
    assert citing.href((0, 8)) == ""


def test_what_is_told_is_harmless_and_bounded(stand):
    session = stand.session(1, "anna")
    stand.operation(session, "anna", 1, "\x1b[2J\u202e" + "x" * 5000 + "\ny" * 300)
    source = stand.done().source()
    citing = Cited([source], [Opener(None)])
    citing.add([(0, 2)])
    ((told,),) = citing.read()
    text = "\n".join(told.lines)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<U+202E>" in text
    assert len(told.lines) == cited.LINES + 1
    assert max(map(len, told.lines)) <= cited.LINE + 3


def test_there_is_a_bound_on_how_many_are_cited(told, monkeypatch):
    monkeypatch.setattr(cited, "MAX_CITED", 2)
    citing = Cited([told.source()], [Opener(None)])
    citing.add([(0, 1), (0, 2), (0, 3)])
    assert [len(page) for page in citing.read()] == [2]


def test_values_of_headers_are_words():
    assert value_of("at_unix_ns", 1_800_000_000_000_000_000) == "2027-01-15 08:00:00.000Z"
    assert value_of("duration_ns", 2_000_000_000) == "2.0 s"
    assert value_of("masked", {"email": 2}) == "email: 2"
    assert value_of("rules", ["a", b"\1", None, True]) == "a, 01, -, yes"
    assert len(value_of("x", "y" * 5000)) < 500
