"""A request and its answer as lines for people, as `curl -v` would show them: `>` went up, `<` came down.

What it will not do: tell what was decided (`replay`), or obey what it shows: whoever prints a line makes it harmless.

Invariant: pure; bytes that are no text are told by their number, and not shown.
"""

from doorward_console.exchanges import answer_of, read_request


def request_lines(text: str) -> list[str]:
    """What was asked, from an operation's text."""
    first, headers, body = read_request(text)
    lines = [f"> {first}", *(f"> {name}: {value}" for name, value in headers)]
    return lines if body is None else [*lines, ">", *(f"> {line}" for line in body.removesuffix("\n").split("\n"))]


def answer_lines(data: bytes, *, cut: bool) -> list[str] | None:
    """What came down; None for what is no answer of HTTP."""
    answer = answer_of(data, cut=cut)
    if answer is None:
        return None
    lines = [f"< {answer.status} {answer.reason}".rstrip(), *(f"< {name}: {value}" for name, value in answer.headers)]
    if answer.body:
        lines += ["<", *(f"< {line}" for line in _body(answer.body))]
    return [*lines, f"({answer.note})"] if answer.note else lines


def _body(body: bytes) -> list[str]:
    """A body's lines. A character that was cut at the end is left out."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(body) - 3:
            return [f"({len(body)} bytes that are no text)"]
        text = body[: error.start].decode("utf-8")
    if "\0" in text:
        return [f"({len(body)} bytes that are no text)"]
    return text.removesuffix("\n").split("\n")
