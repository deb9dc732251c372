r"""Command lines to trees: tree-sitter-bash says how commands hang together.

What it is: the tables of its grammar (which kinds of node are read, and what to say of those that are not), and
`parse`, which gives a text's tree, flattened into what the analysis asks of it.
What it will not do: say where words begin and end; it is sometimes wrong there (`r\` new-line `m` is `r` to it), so
`scan` says it, and `check` refuses a text on which both do not find the same tokens.

Invariants: pure; every kind of node of the grammar is in exactly one of the tables (tests/unit/core/shell/test_parse.py
asks the grammar); a kind that is in none is refused; the walk needs no recursion, so depth cannot exhaust it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from doorward_core.shell.nouns import Unclear, names
from doorward_core.shell.scan import Scan

LANGUAGE = Language(tree_sitter_bash.language())

STRUCTURES = names(
    "program list pipeline negated_command subshell compound_statement redirected_statement if_statement elif_clause"
    " else_clause while_statement do_group command_substitution file_redirect comment"
)
"""Nodes whose children are read in their own right."""
COMMANDS = frozenset({"command", "test_command"})
WORDS = names(
    "command_name word string string_content raw_string number concatenation simple_expansion expansion variable_name"
    " special_variable_name file_descriptor test_operator variable_assignment variable_assignments"
)
"""Nodes that are, or are within, one word of the scan; what they mean, the scan says."""
TESTS = frozenset({"unary_expression", "binary_expression", "parenthesized_expression"})
"""Read within `[ … ]` alone, where they are the arguments of a program called `[`."""
REFUSED: dict[str, str] = {
    "for_statement": "a `for` loop",
    "c_style_for_statement": "a `for` loop",
    "case_statement": "`case`",
    "case_item": "`case`",
    "function_definition": "a function",
    "declaration_command": "a declaration (`export`, `declare` and their like)",
    "unset_command": "`unset`",
    "heredoc_redirect": "a here-document",
    "heredoc_start": "a here-document",
    "heredoc_body": "a here-document",
    "heredoc_content": "a here-document",
    "heredoc_end": "a here-document",
    "herestring_redirect": "a here-string",
    "process_substitution": "a process substitution",
    "arithmetic_expansion": "arithmetic",
    "postfix_expression": "arithmetic",
    "ternary_expression": "arithmetic",
    "ansi_c_string": "`$'…'`",
    "translated_string": '`$"…"`',
    "brace_expression": "a brace expression",
    "extglob_pattern": "an extended pattern",
    "regex": "a pattern",
    "array": "an array",
    "subscript": "an array",
    "ERROR": "its grammar (an error near here)",
}

SYMBOLS = names('; & && || | ( ) { } ! < > >> >| <& >& <&- >&- [ ] " $( ` $ ${')
KEYWORDS = names("if then elif else fi while until do done")
TEST_SYMBOLS = names("= == != < > -o -a ! ( ) =~ + - + += -= *= /= %= ++ --")
"""Met within `[ … ]`, as arguments; the scan decides whether they are operators after all."""
REFUSED_SYMBOLS = names(
    """for select in (( )) = ++ -- += -= *= /= %= **= <<= >>= &= ^= |= -o -a ^ == != <= >= << + - * / % ** case esac ;;
    ;& ;;& function |& [[ ]] declare typeset export readonly local unset unsetenv =~ &> &>> <<- <<< ? : ~ $(( $[ .. ``
    # @ := :- :+ :? %% // /# /% , ,, ^^ U u L Q E P A K a k $` <( >( ##"""
)
"""`=` within an assignment, and whatever stands within `[ … ]`, are left to the scan."""

STDIN_SESSION = "session"
STDIN_ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command stands: where its standard input comes from, and whether anybody waits for it."""

    stdin: str = STDIN_SESSION
    background: bool = False


@dataclass(slots=True)
class Tree:
    """What the analysis asks of a tree. `problems` are in the order of the text; `found` maps offsets to places."""

    problems: list[tuple[int, str]] = field(default_factory=list)
    commands: list[tuple[Node, Place]] = field(default_factory=list)
    tokens: set[tuple[int, int]] = field(default_factory=set)
    keywords: set[int] = field(default_factory=set)
    assignments: set[tuple[int, int]] = field(default_factory=set)
    comments: set[tuple[int, int]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Step:
    node: Node
    place: Place
    in_word: bool = False
    in_test: bool = False


def parse(text: bytes) -> Tree:
    """The tree of a text. Never raises: what it cannot be sure of is among its problems."""
    root = Parser(LANGUAGE).parse(text).root_node
    tree = Tree()
    if root.has_error:
        tree.problems.append((len(text), "it is not a command line that the grammar knows"))
    waiting = [_Step(root, Place())]
    while waiting:
        step = waiting.pop()
        _look(tree, step)
        waiting += [
            _Step(child, place, _in_word(step), _in_test(step)) for child, place in _children(step.node, step.place)
        ]
    tree.problems.sort()
    tree.commands.sort(key=lambda item: (item[0].start_byte, -item[0].end_byte))
    return tree


def check(tree: Tree, scan: Scan) -> None:
    """Refuse a text that the tree and the scan read differently. Raises `Unclear`."""
    agree = (
        tree.tokens == scan.tokens
        and tree.keywords == scan.keywords
        and tree.assignments == scan.assignments
        and tree.comments == scan.comments
    )
    if not agree:
        raise Unclear("where its words begin and end can be read in two ways")


def _look(tree: Tree, step: _Step) -> None:
    """Take note of one node."""
    node = step.node
    span = (node.start_byte, node.end_byte)
    if node.is_missing:
        tree.problems.append((node.start_byte, "something is missing"))
    if not node.is_named:
        _look_at_symbol(tree, step, span)
    elif node.type == "comment":
        tree.comments.add(span)
    elif node.type in COMMANDS:
        tree.commands.append((node, step.place))
    elif node.type in WORDS and not step.in_word:
        _look_at_word(tree, step, span)
    elif node.type == "command_substitution" and not step.in_word:
        tree.tokens.add(span)
    elif node.type in WORDS or node.type in STRUCTURES or (node.type in TESTS and step.in_test):
        pass
    else:
        phrase = REFUSED.get(node.type, "arithmetic" if node.type in TESTS else f"`{node.type}`")
        tree.problems.append((node.start_byte, f"{phrase} is not read here"))


def _look_at_word(tree: Tree, step: _Step, span: tuple[int, int]) -> None:
    if step.node.type == "variable_assignments":
        return  # its children are the words
    tree.tokens.add(span)
    if step.node.type == "variable_assignment":
        tree.assignments.add(span)


def _look_at_symbol(tree: Tree, step: _Step, span: tuple[int, int]) -> None:
    symbol = step.node.type
    if step.in_word and symbol not in {"$(", "`", ")"}:
        return  # quotes and dollars: the scan reads them
    if symbol == "\n":
        return
    if symbol in KEYWORDS or (symbol in {"{", "}", "!"} and not step.in_test):
        tree.keywords.add(step.node.start_byte)
    elif symbol not in SYMBOLS and not (step.in_test and symbol in TEST_SYMBOLS):
        tree.problems.append((step.node.start_byte, f"`{symbol}` is not read here"))
    if span[0] != span[1]:
        tree.tokens.add(span)


def _in_word(step: _Step) -> bool:
    """Whether the children of a node are within a word; a substitution in it is not."""
    kind = step.node.type
    if kind in {"command_substitution", "process_substitution"}:
        return False
    return step.in_word or (kind in WORDS and kind != "variable_assignments")


def _in_test(step: _Step) -> bool:
    return step.node.type == "test_command" or (step.in_test and step.node.type in TESTS)


def _children(node: Node, place: Place) -> Iterator[tuple[Node, Place]]:
    """The children of a node, each with where it stands."""
    children = node.children
    stdin = place.stdin
    if node.type == "redirected_statement" and any(_feeds_stdin(child) for child in children):
        stdin = STDIN_ELSEWHERE
    for index, child in enumerate(children):
        following = children[index + 1].type if index + 1 < len(children) else ""
        fed = STDIN_ELSEWHERE if node.type == "pipeline" and index > 0 else stdin
        yield child, Place(fed, place.background or following == "&")


def _feeds_stdin(node: Node) -> bool:
    if node.type != "file_redirect":
        return False
    kinds = [child.type for child in node.children]
    return kinds[0] in {"<", "<&"} or (kinds[0] == "file_descriptor" and node.children[0].text == b"0")
