"""Quotes that change nothing change nothing; what is complete is spelt back; prefixes take nothing away."""

import shlex

from hypothesis import example, given, settings
from hypothesis import strategies as st

from doorward_core.shell.analyze import analyze, analyze_words

PLAIN = st.text(st.sampled_from("abxyz019_-./+:,@%é"), min_size=1, max_size=8)
PROGRAM = st.sampled_from(
    ["ls", "a", "rm", "systemctl", "/bin/ls", "./x", "sudo", "env", "nice", "sh", "scp", "cat", "git"]
)
ANY_WORD = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], max_codepoint=0x2FF), max_size=10)


def _quoted(word):
    """As `shlex.quote`, which takes a leading `=` for plain: zsh looks for a program by that name."""
    return f"'{word}'" if word.startswith("=") and shlex.quote(word) == word else shlex.quote(word)


def _meaning(analysis):
    commands = [
        (item.program, tuple(word.plain for word in item.arguments), item.background) for item in analysis.commands
    ]
    return analysis.complete, analysis.atoms, commands, analysis.transfer, analysis.unseen


@settings(max_examples=300, deadline=None)
@given(PROGRAM, st.lists(PLAIN, max_size=5), st.data())
def test_quotes_around_plain_words_change_nothing(program, words, data):
    def quoted(word):
        start = data.draw(st.integers(0, len(word)))
        end = data.draw(st.integers(start, len(word)))
        mark = data.draw(st.sampled_from(["'", '"', ""]))
        return word[:start] + mark + word[start:end] + mark + word[end:]

    plain = " ".join([program, *words])
    assert _meaning(analyze(" ".join([quoted(program), *map(quoted, words)]))) == _meaning(analyze(plain))


@settings(max_examples=300, deadline=None)
@given(PROGRAM, st.lists(ANY_WORD, max_size=4))
@example("ls", ["=0"])
def test_a_quoted_line_is_its_words(program, words):
    line = analyze(" ".join([program, *map(_quoted, words)]))
    alone = analyze_words([program, *words])
    if line.complete:
        assert _meaning(line) == _meaning(alone)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(PROGRAM, st.lists(PLAIN, max_size=3)), min_size=1, max_size=4), st.data())
def test_a_list_of_commands_is_the_sum_of_them(commands, data):
    lines = [" ".join([program, *words]) for program, words in commands]
    joined = lines[0]
    for line in lines[1:]:
        joined += data.draw(st.sampled_from(["; ", "\n", " && ", " || ", " | ", " & "])) + line
    whole, parts = analyze(joined), [analyze(line) for line in lines]
    assert {atom for part in parts for atom in part.atoms} == set(whole.atoms)
    assert whole.complete <= all(part.complete for part in parts)
