"""The table of statements is held against the grammar's own list."""

from postgast import pg_query_pb2 as pb
from sql_stand import work

from doorward_core.sql.found import Names
from doorward_core.sql.statements import HANDLERS, dispatch

NOT_SENT = {"raw_stmt", "set_operation_stmt", "return_stmt", "plassign_stmt", "replica_identity_stmt"}


def test_every_statement_of_the_grammar_has_a_handler() -> None:
    grammar = {field.name for field in pb.Node.DESCRIPTOR.oneofs[0].fields if field.name.endswith("_stmt")}
    assert grammar - HANDLERS.keys() == NOT_SENT
    assert HANDLERS.keys() - grammar == set()


def test_a_statement_without_a_handler_is_unknown() -> None:
    notes = work()
    dispatch("return_stmt", pb.ReturnStmt(), notes, Names({}, {}, "", 0, dispatch))
    assert not notes.complete
    assert [atom.action for atom in notes.atoms] == ["unknown"]
