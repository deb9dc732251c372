"""A PostgreSQL server as far as the order of messages goes: honest, deterministic, and flushing as rarely as it may.

Source: PostgreSQL protocol, "Message Flow", "Extended Query", "Pipelining", "COPY Operations".
Texts are its statements: `rows N`, `begin`, `commit`, `rollback`, `set`, `fail`, `copy in`, `copy out`; several in one
Query are put between semicolons. What ran is kept in `ran`, so that nothing can run unseen.
"""

from doorward_postgres import wire_encode as enc
from doorward_postgres.wire import Backend, FrameReader, Frontend, Side
from doorward_postgres.wire_decode import (
    CopyResponse,
    Field,
    decode_bind,
    decode_close,
    decode_describe,
    decode_execute,
    decode_parse,
    decode_query,
)

FIELDS = (Field("n", 1, 1, 23, 4, -1, 0),)
DESCRIBED = enc.encode_row_description(FIELDS)


class _Failed(Exception):
    """A statement failed; the message is an ErrorResponse."""


def _error(code, message):
    return _Failed(enc.encode_error_response("ERROR", code, message))


class ModelServer:
    """Feed it what a client sends; it gives what it would have put on the wire by then."""

    def __init__(self):
        self.ran = []
        self._reader = FrameReader(Side.CLIENT)
        self._status = "I"
        self._prepared = {}
        self._portals = {}
        self._skipping = False
        self._copying = None  # the statements of a Query that wait for COPY data, the one that copies first
        self._out = b""
        self._handlers = {
            Frontend.Query: self._query,
            Frontend.Parse: self._parse,
            Frontend.Bind: self._bind,
            Frontend.Describe: self._describe,
            Frontend.Execute: self._execute,
            Frontend.Close: self._close,
        }

    def feed(self, data):
        """Take a chunk; give what is flushed."""
        flushed = b""
        self._reader.receive(data)
        for kind, start, end in self._reader:
            frame = self._reader.buffer[start:end]
            self._reader.consume(end)
            if self._message(kind, frame[5:]):
                flushed, self._out = flushed + self._out, b""
        return flushed

    def _message(self, kind, body):
        """Handle one message; tell whether what was answered so far goes out."""
        if self._copying is not None:
            return self._copy_data(kind)
        if kind == Frontend.Sync:
            self._skipping = False
            self._ready()
            return True
        if kind == Frontend.Flush:
            return True
        if self._skipping or kind in (Frontend.CopyData, Frontend.CopyDone, Frontend.CopyFail, Frontend.Terminate):
            return False
        try:
            self._handlers[kind](body)
        except _Failed as failed:
            self._fail(failed, skip=kind != Frontend.Query)
            if kind == Frontend.Query:
                self._ready()
            return True
        return kind == Frontend.Query or self._copying is not None

    def _fail(self, failed, *, skip):
        self._out += failed.args[0]
        self._skipping = skip
        if self._status == "T":
            self._status = "E"

    def _ready(self):
        if self._status == "I":
            self._portals.clear()
        self._out += enc.encode_ready_for_query(self._status)

    def _query(self, body):
        texts = [text.strip() for text in decode_query(body).decode().split(";")]
        self._go_on([text for text in texts if text])

    def _go_on(self, texts):
        for place, text in enumerate(texts):
            if self._run(text, described=True):
                self._copying = ("query", texts[place + 1 :])
                return
        if not texts:
            self._out += enc.EMPTY_QUERY_RESPONSE
        self._ready()

    def _parse(self, body):
        message = decode_parse(body)
        if message.name and message.name in self._prepared:
            raise _error("42P05", f'prepared statement "{message.name}" already exists')
        if message.text == b"nonsense":
            raise _error("42601", "syntax error")
        self._prepared[message.name] = message.text.decode()
        self._out += enc.PARSE_COMPLETE

    def _bind(self, body):
        message = decode_bind(body)
        if message.statement not in self._prepared:
            raise _error("26000", f'prepared statement "{message.statement}" does not exist')
        if message.portal and message.portal in self._portals:
            raise _error("42P03", f'cursor "{message.portal}" already exists')
        self._portals[message.portal] = self._prepared[message.statement]
        self._out += enc.BIND_COMPLETE

    def _describe(self, body):
        kind, name = decode_describe(body)
        known = self._prepared if kind == "S" else self._portals
        if name not in known:
            code, what = ("26000", "prepared statement") if kind == "S" else ("34000", "portal")
            raise _error(code, f'{what} "{name}" does not exist')
        if kind == "S":
            self._out += enc.encode_parameter_description(())
        self._out += DESCRIBED if known[name].startswith("rows") else enc.NO_DATA

    def _execute(self, body):
        name = decode_execute(body).portal
        if name not in self._portals:
            raise _error("34000", f'portal "{name}" does not exist')
        if self._run(self._portals[name], described=False):
            self._copying = ("execute", [])

    def _close(self, body):
        kind, name = decode_close(body)
        (self._prepared if kind == "S" else self._portals).pop(name, None)
        self._out += enc.CLOSE_COMPLETE

    def _run(self, text, *, described):
        """Run one statement; tell whether it waits for COPY data."""
        word, _, rest = text.partition(" ")
        if self._status == "E" and word not in ("commit", "rollback"):
            raise _error("25P02", "current transaction is aborted")
        self.ran.append(text)
        if word in ("begin", "commit", "rollback"):
            tag = "ROLLBACK" if self._status == "E" else word.upper()
            self._status = "T" if word == "begin" else "I"
            self._out += enc.encode_command_complete(tag)
        elif word == "rows":
            row = enc.encode_data_row([rest.encode() * 3])
            self._out += (
                (DESCRIBED if described else b"") + row * int(rest) + enc.encode_command_complete(f"SELECT {rest}")
            )
        elif text == "copy in":
            self._out += enc.encode_copy_response(Backend.CopyInResponse, CopyResponse(0, (0,)))
            return True
        elif text == "copy out":
            self._out += enc.encode_copy_response(Backend.CopyOutResponse, CopyResponse(0, (0,)))
            self._out += enc.encode_copy_data(b"1\n") * 2 + enc.COPY_DONE + enc.encode_command_complete("COPY 2")
        elif word == "set":
            self._out += enc.encode_command_complete("SET")
        else:
            raise _error("22012", f"{text} failed")
        return False

    def _copy_data(self, kind):
        if kind not in (Frontend.CopyDone, Frontend.CopyFail):
            assert kind in (Frontend.CopyData, Frontend.Flush, Frontend.Sync), "a gateway must not let this through"
            return False
        (how, texts), self._copying = self._copying, None
        if kind == Frontend.CopyFail:
            self._fail(_error("57014", "COPY from stdin failed"), skip=how == "execute")
            if how == "query":
                self._ready()
            return True
        self._out += enc.encode_command_complete("COPY 1")
        if how == "query":
            try:
                self._go_on(texts) if texts else self._ready()
            except _Failed as failed:
                self._fail(failed, skip=False)
                self._ready()
            return True
        return False
