"""Requests that two readers may read in two ways, each with a second request hidden behind it."""

HOST = b"Host: a.example\r\n"
# What must never arrive: the request that a smuggler hides in another.
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a.example\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def post(*headers, body=b"0\r\n\r\n"):
    return b"POST /p HTTP/1.1\r\n" + HOST + b"".join(headers) + b"\r\n" + body


SMUGGLED = {
    "CL.TE": post(b"Content-Length: 6\r\n", CHUNKED, body=b"0\r\n\r\nG"),
    "TE.CL": post(CHUNKED, b"Content-Length: 3\r\n", body=b"1\r\nZ\r\n0\r\n\r\n"),
    "TE.TE": post(CHUNKED, b"Transfer-Encoding: identity\r\n"),
    "TE twice": post(CHUNKED, CHUNKED),
    "CL twice": post(b"Content-Length: 5\r\n", b"Content-Length: 5\r\n", body=b"hello"),
    "CL twice, different": post(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", body=b"hello"),
    "CL list": post(b"Content-Length: 5, 5\r\n", body=b"hello"),
    "CL plus": post(b"Content-Length: +5\r\n", body=b"hello"),
    "CL minus": post(b"Content-Length: -5\r\n", body=b"hello"),
    "CL hex": post(b"Content-Length: 0x5\r\n", body=b"hello"),
    "CL octal": post(b"Content-Length: 05\r\n", body=b"hello"),
    "CL blank within": post(b"Content-Length: 5 5\r\n", body=b"hello"),
    "CL tab": post(b"Content-Length:\t5\r\n", body=b"hello"),
    "CL empty": post(b"Content-Length: \r\n", body=b"hello"),
    "CL overflow": post(b"Content-Length: 18446744073709551621\r\n", body=b"hello"),
    "CL underscore": post(b"Content_Length: 5\r\n", body=b"hello"),
    "TE underscore": post(b"Transfer_Encoding: chunked\r\n"),
    "TE identity": post(b"Transfer-Encoding: chunked, identity\r\n"),
    "TE identity first": post(b"Transfer-Encoding: identity, chunked\r\n"),
    "TE xchunked": post(b"Transfer-Encoding: xchunked\r\n"),
    "TE quoted": post(b'Transfer-Encoding: "chunked"\r\n'),
    "TE tab": post(b"Transfer-Encoding:\tchunked\r\n"),
    "TE vertical tab": post(b"Transfer-Encoding: \x0bchunked\r\n"),
    "TE folded": post(b"Transfer-Encoding:\r\n chunked\r\n"),
    "TE after a bare CR": post(b"X: y\rTransfer-Encoding: chunked\r\n"),
    "TE after a bare LF": post(b"X: y\nTransfer-Encoding: chunked\r\n"),
    "TE in 1.0": post(CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "blank before a colon": post(b"Transfer-Encoding : chunked\r\n"),
    "blank before a name": post(b" Transfer-Encoding: chunked\r\n"),
    "no colon": post(b"Transfer-Encoding\r\n"),
    "NUL in a name": post(b"Transfer-Encoding\0: chunked\r\n"),
    "NUL in a value": post(b"X: a\0b\r\n"),
    "lines that end with LF": b"GET / HTTP/1.1\nHost: a.example\n\n",
    "the last line ends with LF": b"GET / HTTP/1.1\r\nHost: a.example\r\n\n",
    "two blanks": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a blank in the target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "a blank at the end of the line": b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n",
    "no version": b"GET /\r\n" + HOST + b"\r\n",
    "lower case": b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
    "version 1.10": b"GET / HTTP/1.10\r\n" + HOST + b"\r\n",
    "an empty line first": b"\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "chunk extension": post(CHUNKED, body=b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    "chunk extension with LF": post(CHUNKED, body=b"5;\nxx\r\nhello\r\n0\r\n\r\n"),
    "chunk size with a blank": post(CHUNKED, body=b"5 \r\nhello\r\n0\r\n\r\n"),
    "chunk size in hex of C": post(CHUNKED, body=b"0x5\r\nhello\r\n0\r\n\r\n"),
    "chunk size with an underscore": post(CHUNKED, body=b"1_0\r\nhello\r\n0\r\n\r\n"),
    "chunk size overflows": post(CHUNKED, body=b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "chunk size below nothing": post(CHUNKED, body=b"-5\r\nhello\r\n0\r\n\r\n"),
    "chunk longer than its size": post(CHUNKED, body=b"5\r\nhelloX\r\n0\r\n\r\n"),
    "chunk ends with LF": post(CHUNKED, body=b"5\r\nhello\n0\r\n\r\n"),
    "size line ends with LF": post(CHUNKED, body=b"5\nhello\r\n0\r\n\r\n"),
    "trailer that frames": post(CHUNKED, body=b"0\r\nContent-Length: 5\r\n\r\n"),
    "trailer that authenticates": post(CHUNKED, body=b"0\r\nAuthorization: Bearer x\r\n\r\n"),
    "trailer that is folded": post(CHUNKED, body=b"0\r\nX: y\r\n z\r\n\r\n"),
    "trailer with a bare LF": post(CHUNKED, body=b"0\r\nX: y\n\r\n"),
}
