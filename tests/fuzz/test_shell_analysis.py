"""Garbage in place of command lines: an analysis, quickly, and never an exception."""

from hypothesis import given, settings
from hypothesis import strategies as st

from doorward_core.shell.analyze import analyze, analyze_words

PIECES = [
    *"abx \t\n;&|<>(){}[]$`'\"\\=!*?~#-+%^,:@/.0123é\x00\x7f\u202e",
    "$(", "${", "$((", "<<", "<<E\n", "<(", ">(", "&>", "2>&1", "if ", "then ", "fi", "for ", "in ", "do ", "done",
    "case ", "esac", "f() ", "coproc ", "function ", "time ", "sh -c ", "env ", "sudo ", "xargs ", "find . -exec ",
    "eval ", "scp -t ", "rsync --server ", "sed ", "A=", "a=(", "{a,b}", "$'", '$"', "\\\n", "[[ ", "]]",
]  # fmt: skip
LINES = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


@settings(max_examples=600, deadline=None)
@given(LINES)
def test_pieces_of_shell_never_raise(line):
    analysis = analyze(line)
    assert analysis.complete is (analysis.problem == "")
    assert analysis.complete <= bool(analysis.commands)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=200))
def test_any_text_never_raises(line):
    analyze(line)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(st.text(max_size=20), st.sampled_from(["sh", "-c", "env", "sudo", "--", "-", ";", "{}"])), max_size=12
    )
)
def test_any_words_never_raise(words):
    analyze_words(words)


def test_the_longest_of_each_piece_is_refused_and_not_fallen_over():
    for piece in PIECES:
        analyze(piece * (40_000 // len(piece)))
        analyze(piece * (32_000 // len(piece.encode())))
