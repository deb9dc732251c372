"""What is kept of an operation between two updates."""

from doorward_console.index.states import Asked, Opened, words_of
from doorward_console.typed import TypedReader


def test_an_operation_is_the_same_when_it_is_read_again():
    asked = Asked(
        b"o" * 16, b"s" * 16, 3, 5, 1, ("a", "b", "agent", "c"), ("shop", "postgres", "app"), "write", "UPDATE",
        verdict="hold", rules=["r"], request="ap-1", held=True, masked={"email": 2}, text="x \u202e", parameters=["1", None],
        touched=[("write", "relation", "public.customer")], approvers=["dora"], number=9, given=["a", "b", "c", "d"],
    )  # fmt: skip
    assert Asked.again(asked.kept()) == asked


def test_a_terminal_begins_anew():
    asked = Asked(b"o", b"s", 0, 0, 1, ("", "", "", ""), ("", "", ""), "execute", "shell", terminal=TypedReader())
    assert Asked.again(asked.kept()).terminal is None


def test_a_sessions_words_are_json():
    assert words_of(Opened(b"s", 0, 0, "open", about={"peer": "x"})) == '{"peer": "x"}'
