"""Chunking never changes frames, and decode(encode(m)) == m."""

from hypothesis import given
from hypothesis import strategies as st

from doorward_postgres import wire_decode as decode
from doorward_postgres import wire_encode as encode
from doorward_postgres.wire import HEADER_BYTES, Backend, FrameReader, Frontend, Side

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
texts = st.binary(max_size=60).map(lambda data: data.replace(b"\0", b""))
values = st.lists(st.none() | st.binary(max_size=20), max_size=6).map(tuple)
formats = st.lists(st.integers(0, 1), max_size=6).map(tuple)
u32 = st.integers(0, 2**32 - 1)
i32 = st.integers(-(2**31), 2**31 - 1)
i16 = st.integers(-(2**15), 2**15 - 1)
oids = st.lists(u32, max_size=5).map(tuple)
parses = st.builds(decode.Parse, names, texts, oids)


@st.composite
def _formatted(draw):
    params = draw(values)
    return draw(st.sampled_from([(), (0,), (1,), (1,) * len(params)])), params


@st.composite
def binds(draw):
    param_formats, params = draw(_formatted())
    return decode.Bind(draw(names), draw(names), param_formats, params, draw(formats))


@st.composite
def calls(draw):
    arg_formats, args = draw(_formatted())
    return decode.FunctionCall(draw(u32), arg_formats, args, draw(st.integers(0, 1)))


fields = st.lists(st.builds(decode.Field, names, u32, i16, u32, i16, i32, st.integers(0, 1)), max_size=5).map(tuple)
copies = st.builds(decode.CopyResponse, st.integers(0, 1), formats)
letters = st.sampled_from("SVCMDHPpqWstcdnFLR")

frontend = st.one_of(
    texts.map(encode.encode_query),
    parses.map(encode.encode_parse),
    binds().map(encode.encode_bind),
    st.builds(encode.encode_describe, st.sampled_from("SP"), names),
    st.builds(encode.encode_execute, names, i32),
    st.binary(max_size=300).map(encode.encode_copy_data),
    st.sampled_from([encode.SYNC, encode.FLUSH, encode.TERMINATE, encode.COPY_DONE]),
)
backend = st.one_of(
    values.map(encode.encode_data_row),
    fields.map(encode.encode_row_description),
    st.builds(encode.encode_parameter_status, names, names),
    st.binary(max_size=300).map(encode.encode_copy_data),
    st.sampled_from("ITE").map(encode.encode_ready_for_query),
    st.sampled_from([encode.PARSE_COMPLETE, encode.BIND_COMPLETE, encode.NO_DATA, encode.AUTHENTICATION_OK]),
)
streams = st.one_of(
    st.tuples(st.just(Side.CLIENT), st.lists(frontend, max_size=12)),
    st.tuples(st.just(Side.UPSTREAM), st.lists(backend, max_size=12)),
)


def _chunks(data, cuts):
    at = 0
    for cut in [*cuts, len(data)]:
        if not data[at:]:
            return
        yield data[at : at + max(1, cut)]
        at += max(1, cut)


cuts = st.lists(st.integers(1, 40), max_size=400)


@given(streams, cuts, st.booleans())
def test_chunking_never_changes_frames(stream, cuts, consume):
    side, frames = stream
    reader = FrameReader(side)
    found = []
    for chunk in _chunks(b"".join(frames), cuts):
        reader.receive(chunk)
        for kind, start, end in reader:
            whole = bytes(reader.view(start, end))
            assert whole[0] == kind
            found.append(whole)
            if consume:
                reader.consume(end)
    assert found == frames
    assert reader.buffered == (0 if consume else len(b"".join(frames)))


@given(st.lists(backend, max_size=12), cuts, st.data())
def test_passing_frames_on_in_pieces_never_changes_the_bytes(frames, cuts, data):
    reader = FrameReader(Side.UPSTREAM)
    sent = bytearray()
    for chunk in _chunks(b"".join(frames), cuts):
        reader.receive(chunk)
        if reader.owed:
            sent += reader.take_partial()
        for kind, start, end in reader:
            stop = reader.run(kind, data.draw(st.integers(0, 3)))[1] if data.draw(st.booleans()) else end
            sent += reader.view(start, stop)
            reader.consume(stop)
        head = reader.head()
        if head and head[0] in {Backend.DataRow, Backend.CopyData} and data.draw(st.booleans()):
            sent += reader.take_partial()
    assert sent == b"".join(frames)


def _body(message: bytes) -> bytes:
    assert int.from_bytes(message[1:HEADER_BYTES]) == len(message) - 1
    return message[HEADER_BYTES:]


@given(texts, parses, binds(), calls())
def test_statements_survive_the_round_trip(text, parse, bind, call):
    assert decode.decode_query(_body(encode.encode_query(text))) == text
    assert decode.decode_parse(_body(encode.encode_parse(parse))) == parse
    assert decode.decode_bind(_body(encode.encode_bind(bind))) == bind
    assert decode.decode_function_call(_body(encode.encode_function_call(call))) == call


@given(st.sampled_from("SP"), names, st.integers(0, 2**31 - 1))
def test_names_survive_the_round_trip(kind, name, limit):
    assert decode.decode_describe(_body(encode.encode_describe(kind, name))) == (kind, name)
    assert decode.decode_close(_body(encode.encode_close(kind, name))) == (kind, name)
    assert decode.decode_execute(_body(encode.encode_execute(name, limit))) == (name, limit)
    assert decode.decode_copy_fail(_body(encode.encode_copy_fail(name))) == name


@given(names, st.none() | st.binary(max_size=40), st.lists(names.filter(bool), max_size=4).map(tuple))
def test_sasl_survives_the_round_trip(name, response, mechanisms):
    body = _body(encode.encode_sasl_initial_response(name, response))
    assert decode.decode_sasl_initial_response(body) == (name, response)
    code, rest = decode.decode_authentication(_body(encode.encode_authentication_sasl(mechanisms)))
    assert (code, decode.decode_sasl_mechanisms(rest)) == (10, mechanisms)
    negotiated = _body(encode.encode_negotiate_protocol_version(3 << 16 | 2, mechanisms))
    assert decode.decode_negotiate_protocol_version(negotiated) == (3 << 16 | 2, mechanisms)
    assert decode.decode_password(_body(encode.encode_password(name))) == name.encode()


@given(fields, values, copies, oids)
def test_answers_survive_the_round_trip(columns, row, copy, types):
    assert decode.decode_row_description(_body(encode.encode_row_description(columns))) == columns
    assert decode.decode_data_row(_body(encode.encode_data_row(row))) == row
    assert decode.decode_parameter_description(_body(encode.encode_parameter_description(types))) == types
    for kind in (Backend.CopyInResponse, Backend.CopyOutResponse, Backend.CopyBothResponse):
        assert decode.decode_copy_response(_body(encode.encode_copy_response(kind, copy))) == copy


@given(names, names, i32, st.binary(min_size=4, max_size=32), st.dictionaries(letters, names))
def test_news_survive_the_round_trip(name, value, pid, key, said):
    assert decode.decode_parameter_status(_body(encode.encode_parameter_status(name, value))) == (name, value)
    assert decode.decode_backend_key_data(_body(encode.encode_backend_key_data(pid, key))) == (pid, key)
    notification = decode.Notification(pid, name, value)
    assert decode.decode_notification(_body(encode.encode_notification(notification))) == notification
    assert decode.decode_command_complete(_body(encode.encode_command_complete(name))) == name
    assert decode.decode_error_fields(_body(encode.encode_error_fields(said))) == said
    assert decode.decode_function_call_response(_body(encode.encode_function_call_response(key))) == key
    assert list(decode.decode_error_fields(_body(encode.encode_error_fields(said, notice=True)))) == list(said)


def test_every_frontend_type_is_a_letter():
    assert all(chr(kind).isalpha() for name, kind in vars(Frontend).items() if not name.startswith("_"))
