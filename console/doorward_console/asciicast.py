"""A recording as an asciicast, for any player of those: versions 2 and 3.

What it is: the two formats that docs.asciinema.org describes ("asciicast v2", "asciicast v3"): a header, then one JSON
array for each event; times count from the beginning in version 2, and from the event before in version 3.
What it will not do: make output harmless. A player obeys what the terminal was sent, and that is what it is for; the
file itself is plain ASCII, so that reading it in a terminal does nothing.

Invariants: pure; a character that was cut in two by the recording is whole again; what cannot be read as UTF-8 is
replaced.
"""

import codecs
import json
from collections.abc import Iterator
from typing import Final

from doorward_console.recording import Recording

VERSIONS: Final = (2, 3)
_US: Final = 1_000
_S: Final = 1_000_000_000


def asciicast(recording: Recording, version: int) -> Iterator[str]:
    """The lines of the file."""
    began = recording.pieces[0].unix_ns if recording.pieces else recording.began_unix_ns
    yield json.dumps(_header(recording, version, began))
    before_us = 0
    for unix_ns, code, data in _events(recording, exits=version > 2):  # noqa: PLR2004 - version 2 knows no exit
        at_us = max(before_us, (unix_ns - began) // _US)
        yield json.dumps([(at_us if version == 2 else at_us - before_us) / 1_000_000, code, data])  # noqa: PLR2004 - as above
        before_us = at_us


def _header(recording: Recording, version: int, began_unix_ns: int) -> dict[str, object]:
    columns, rows = recording.size
    about: dict[str, object] = {
        "timestamp": began_unix_ns // _S,
        "title": f"{recording.where} by {recording.who}, session {recording.session.hex()}",
        **({"command": recording.text} if recording.text and not recording.terminal else {}),
    }
    term = recording.term or "dumb"
    if version == 2:  # noqa: PLR2004 - the version
        return {"version": 2, "width": columns, "height": rows, **about, "env": {"TERM": term}}
    return {"version": 3, "term": {"cols": columns, "rows": rows, "type": term}, **about}


def _events(recording: Recording, *, exits: bool) -> Iterator[tuple[int, str, str]]:
    decoders: dict[str, codecs.IncrementalDecoder] = {}
    sized = False  # the first size is in the header
    last = recording.began_unix_ns
    for piece in recording.pieces:
        last = piece.unix_ns
        if piece.resize:
            if piece.size and sized:
                yield piece.unix_ns, "r", f"{piece.size[0]}x{piece.size[1]}"
            sized = sized or piece.size is not None
            continue
        decoder = decoders.setdefault(piece.stream, codecs.getincrementaldecoder("utf-8")("replace"))
        text = decoder.decode(piece.data)
        if not recording.terminal:
            text = text.replace("\r\n", "\n").replace("\n", "\r\n")  # no terminal turned line ends into both
        if text:
            yield piece.unix_ns, "o", text
    if exits and recording.code.isdigit():
        yield max(last, recording.ended_unix_ns), "x", recording.code
