"""Patterns over programs and arguments: word by word, exact where they allow, broad where they hold or block."""

import json

import pytest

from doorward_core.errors import ConfigError
from doorward_core.model import Action, Atom, Effect, Target
from doorward_core.policy.commands import compile_commands, split_pattern
from doorward_core.policy.load import parse_policy


@pytest.mark.parametrize(
    ("pattern", "program", "detail", "allows", "blocks"),
    [
        ("uptime", "uptime", "", True, True),
        ("uptime", "uptime", "-p", False, True),
        ("uptime", "uptime", "$", False, True),
        ("uptime", "/tmp/uptime", "", False, False),
        ("systemctl status *", "systemctl", "status", True, True),
        ("systemctl status *", "systemctl", "status nginx", True, True),
        ("systemctl status *", "systemctl", "status nginx cron", True, True),
        ("systemctl status *", "systemctl", "status $", False, True),
        ("systemctl status *", "systemctl", "stop nginx", False, False),
        ("systemctl status *", "systemctl", "'status nginx'", False, False),
        ("systemctl status *", "systemctl", "", False, False),
        ("systemctl status *", "systemctl", "$ nginx", False, True),
        ("rm -rf", "rm", "-rf /", False, True),
        ("rm -rf", "rm", "-r -f /", False, False),
        ("tail -n ? /var/log/*.log", "tail", "-n 5 /var/log/a.log", True, True),
        ("tail -n ? /var/log/*.log", "tail", "-n 5 /etc/shadow /var/log/a.log", False, False),
        ("tail -n * /var/log/*.log", "tail", "-n 5 /etc/shadow /var/log/a.log", False, False),
        ("echo '$'", "echo", "'$'", True, True),
        ("echo 'a b'", "echo", "'a b'", True, True),
        ("echo 'a b'", "echo", "a b", False, False),
        ("echo *", "echo", "'it'\"'\"'s'", True, True),
        ("echo *", "echo", "''", True, True),
        ("echo *", "echo", "'not closed", False, True),
        ("* *", "anything", "at all", True, True),
        ("*", "anything", "at all", False, True),
        ("python3.* /srv/*.py", "python3.11", "/srv/a.py", True, True),
    ],
)
def test_what_a_pattern_speaks_of(pattern, program, detail, allows, blocks):
    commands = compile_commands([pattern])
    assert commands.match(program, detail, allows=True) is allows
    assert commands.match(program, detail, allows=False) is blocks


@pytest.mark.parametrize(
    ("detail", "allows", "blocks"),
    [("start nginx", True, True), ("stop nginx", False, True), ("stop", False, False), ("$", False, True)],
)
def test_exceptions_are_broad_in_an_allow_and_exact_in_a_block(detail, allows, blocks):
    commands = compile_commands(["systemctl *", "!systemctl stop"])
    assert commands.match("systemctl", detail, allows=True) is allows
    assert commands.match("systemctl", detail, allows=False) is blocks


@pytest.mark.parametrize("pattern", ["", "' '", "'a", "find ! -name x", "bin/x", "!", "!!x", "a\\b", "''"])
def test_a_pattern_that_names_no_program_is_refused(pattern):
    with pytest.raises(ConfigError):
        _policy(f"allow, do: [execute], commands: [{json.dumps(pattern)}]")


def test_the_words_of_a_pattern():
    assert split_pattern("!grep 'a b' *") == ["grep", "a b", "*"]


def test_a_rule_with_commands_speaks_of_commands_alone(asking):
    ask = asking(_text("allow, do: [any], commands: ['uptime']"))
    who = ask.who()
    assert ask.effect(who, _atom("uptime", "")) == Effect.PERMIT
    assert ask.effect(who, _atom("rm", "x")) == Effect.DENY
    assert ask.effect(who, Atom(Action.UNKNOWN, Target("opaque", ""))) == Effect.DENY
    assert ask.effect(who, Atom(Action.WRITE, Target("path", "/x"))) == Effect.DENY


def test_a_block_hears_what_an_allow_cannot(asking):
    text = _text("allow, do: [any]") + "\n  - {id: b, effect: block, resource: app-db, do: [execute], commands: [rm]}"
    ask = asking(text)
    assert ask.effect(ask.who(), _atom("ls", "$")) == Effect.PERMIT
    assert ask.effect(ask.who(), _atom("rm", "$")) == Effect.DENY


def test_a_hold_hears_what_a_block_hears(asking):
    ask = asking(_text("hold, do: [execute], commands: ['systemctl restart'], approve: {by: {groups: [ops]}}"))
    assert ask.effect(ask.who(), _atom("systemctl", "restart nginx")) == Effect.HOLD
    assert ask.effect(ask.who(), _atom("systemctl", "$")) == Effect.HOLD
    assert ask.effect(ask.who(), _atom("systemctl", "stop nginx")) == Effect.DENY


def test_tables_and_targets_do_not_speak_of_commands(asking):
    ask = asking(_text("allow, do: [any], tables: ['*']"))
    assert ask.effect(ask.who(), _atom("uptime", "")) == Effect.DENY
    with pytest.raises(ConfigError, match="write `commands:`"):
        _policy("allow, do: [any], targets: {command: ['*']}")


def _text(rest):
    return f"rules:\n  - {{id: a, resource: app-db, effect: {rest}}}"


def _policy(rest):
    return parse_policy(_text(rest), "policy.yaml")


def _atom(program, detail):
    return Atom(Action.EXECUTE, Target("command", program, (), detail))
