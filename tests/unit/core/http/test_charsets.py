"""Charsets: which are read, what tells them, and the way back."""

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.http.charsets import Charset, check

TEXT = '{"é": "jane@example.com"}'


def there_and_back(charset: Charset, body: bytes) -> tuple[bytes, bytes]:
    text = b"".join([*(charset.decode(body[at : at + 1]) for at in range(len(body))), charset.decode(b"", final=True)])
    return text, charset.encode(text, final=True)


@pytest.mark.parametrize(
    ("declared", "name"),
    [("", "utf-8"), ("UTF-8", "utf-8"), ("iso-8859-1", "latin-1"), ("windows-1252", "cp1252"), ("utf-16le", "utf-16-le"),
     ("utf-16be", "utf-16-be"), ("utf-16", "utf-16"), ("utf-32", "utf-32"), ("", "utf-16"), ("utf-8", "utf-16"),
     ("iso-8859-1", "utf-16")],
)  # fmt: skip
def test_a_body_is_read_as_utf8_and_leaves_as_it_came(declared: str, name: str) -> None:
    body = TEXT.encode(name)
    text, back = there_and_back(Charset(declared), body)
    assert text.decode().removeprefix("\ufeff") == TEXT
    assert back == body


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_the_nuls_of_json_tell_its_charset(name: str) -> None:
    text, back = there_and_back(Charset("", json=True), TEXT.encode(name))
    assert text.decode() == TEXT
    assert back == TEXT.encode(name)


@pytest.mark.parametrize("name", ["utf-7", "utf-8-bogus", "cp037", "gb18030", "iso-2022-jp"])
def test_other_charsets_are_refused(name: str) -> None:
    with pytest.raises(UnreadableBody):
        check(name)
    with pytest.raises(UnreadableBody):
        Charset(name)


def test_utf16_without_a_mark_is_refused() -> None:
    with pytest.raises(UnreadableBody, match="byte order"):
        Charset("utf-16").decode("ab".encode("utf-16-le"))


def test_what_is_not_in_its_charset_is_refused() -> None:
    with pytest.raises(UnreadableBody):
        there_and_back(Charset("utf-16le"), b"a\0b\0\0\xd8a\0")
    with pytest.raises(UnreadableBody):
        there_and_back(Charset("utf-16le"), b"a\0b\0c")


def test_utf8_passes_valid_or_not() -> None:
    assert there_and_back(Charset(""), b"a\xff\xfe") == (b"a\xff\xfe", b"a\xff\xfe")
    assert there_and_back(Charset(""), b"a") == (b"a", b"a")
