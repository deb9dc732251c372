"""The query of a stream is read as the API server reads it."""

from doorward_k8s.exec_query import ExecQuery, read_exec


def test_a_query_is_read_by_name_and_a_command_word_by_word():
    query = (
        ("command", "sh"),
        ("command", "-c"),
        ("container", "app"),
        ("stdin", "true"),
        ("tty", "1"),
        ("ports", "80"),
    )
    assert read_exec(query) == ExecQuery(("sh", "-c"), "app", stdin=True, tty=True, ports=("80",))


def test_only_false_nought_and_nothing_are_false():
    assert not read_exec((("stdin", "false"),)).stdin
    assert not read_exec((("stdin", "0"),)).stdin
    assert not read_exec(()).stdin
    assert read_exec((("stdin", ""),)).stdin
    assert read_exec((("stdin", "no"),)).stdin
