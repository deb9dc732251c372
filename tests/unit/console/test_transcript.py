import pytest

from doorward_console.transcript import answer_lines, request_lines


def test_what_went_up_and_what_came_down_are_told_apart():
    assert request_lines("POST /a\naccept: */*\n\n< 200 OK\n") == ["> POST /a", "> accept: */*", ">", "> < 200 OK"]
    assert answer_lines(b"HTTP/1.1 201 Created\r\nlocation: /a/1\r\n\r\n{}\n", cut=False) == [
        "< 201 Created",
        "< location: /a/1",
        "<",
        "< {}",
    ]


def test_a_request_without_a_body_has_no_empty_line():
    assert request_lines("GET /a?b=c") == ["> GET /a?b=c"]


def test_what_is_cut_is_said_and_a_cut_character_left_out():
    lines = answer_lines(b"HTTP/1.1 200 OK\r\n\r\n" + "né".encode()[:-1], cut=True)
    assert lines == ["< 200 OK", "<", "< n", "(the record keeps the beginning only)"]


@pytest.mark.parametrize("body", [b"\xff\xfe\xfd\xfc" * 4, b"a\0b"])
def test_what_is_no_text_is_counted_and_not_shown(body):
    assert answer_lines(b"HTTP/1.1 200 OK\r\n\r\n" + body, cut=False)[-1] == f"< ({len(body)} bytes that are no text)"


def test_what_is_no_answer_is_left_to_others():
    assert answer_lines(b"hello", cut=False) is None
