"""A language model that is a script: fixed moves, chosen by what it was asked and by what it has seen since.

What it is: a BaseLLM of crewai's own kind, so that the crew, the agent and the tool are the real ones and the story is
the same each time, without a key and without a network.
What it will not do: make up a result. What it answers with is copied out of what the tool returned.
"""

import ast
import json
import re
from collections.abc import Callable
from typing import Any

from crewai import BaseLLM

WINDOW_TOKENS = 128_000  # as much as the models have that people would put here
CHARACTERS_PER_TOKEN = 4  # the estimate that crewai itself falls back on
# What the tool returned; after a blank line crewai may repeat its instructions, which hold the same words.
OBSERVED = re.compile(r"\nObservation:(.*?)(?:\n\n|\Z)", re.DOTALL)

CONTACTS = "SELECT id, name, email, phone FROM customer ORDER BY created_at DESC, id DESC LIMIT 3"
DROP = "DROP TABLE IF EXISTS country_summary"
MAKE = "CREATE TABLE country_summary AS SELECT country, count(*) AS customers FROM customer GROUP BY country"
SUMMARY = "SELECT country, count(*) AS customers FROM customer GROUP BY country ORDER BY country"
LOOK = "SELECT id, newsletter FROM customer WHERE id = 46"
UNSUBSCRIBE = "UPDATE customer SET newsletter = false WHERE id = 46"


def act(thought: str, statement: str) -> str:
    """Use the tool, in the words that crewai asks of a model (ReAct)."""
    return f"Thought: {thought}\nAction: nl2sql_tool\nAction Input: {json.dumps({'sql_query': statement})}"


def answer(text: str) -> str:
    """Give the task's answer."""
    return f"Thought: I now know the final answer\nFinal Answer: {text}"


def table(seen: str) -> str:
    """The rows that the tool returned, one a line; whatever else it returned, as it is."""
    try:
        rows = ast.literal_eval(seen)
    except (ValueError, SyntaxError):
        return seen
    return "\n".join(" | ".join(str(value) for value in row.values()) for row in rows)


def contacts(seen: list[str]) -> str:
    """The newest customers, and how to reach them."""
    if not seen:
        return act("The newest customers are the last by created_at.", CONTACTS)
    masked = "***" in seen[-1]
    note = "\nAddresses and numbers came masked: somebody who may see them has to write to these people."
    return answer(table(seen[-1]) + (note if masked else ""))


def summary(seen: list[str]) -> str:
    """A fresh summary of customers by country."""
    if not seen:
        return act("First I remove the old summary table, then I make it anew.", DROP)
    if len(seen) > 1:
        return answer(table(seen[-1]))
    if "migrations" in seen[0]:
        return act("Tables are not mine to change, and trying again will not help. A plain query will do.", SUMMARY)
    return act("The old table is gone.", MAKE)


def unsubscribe(seen: list[str]) -> str:
    """Take customer 46 off the newsletter, and make sure of it."""
    if not seen:
        return act("First I look at how it is.", LOOK)
    done = "executed successfully" in seen[-1]
    if len(seen) == 1 and "True" in seen[0]:
        return act("Customer 46 does get the newsletter.", UNSUBSCRIBE)
    if done:
        return act("It was carried out. I look whether it is so.", LOOK)
    return answer(table(seen[-1]))


SCRIPTS: dict[str, Callable[[list[str]], str]] = {
    "newest customers": contacts,
    "summary of customers by country": summary,
    "off the newsletter": unsubscribe,
}


class ScriptedModel(BaseLLM):
    """The model: it reads the whole conversation each time, as a real one does, and keeps nothing in between."""

    def call(self, messages: str | list[Any], *_: Any, **__: Any) -> str:
        """Give the next move."""
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        said = [str(message["content"]) for message in messages if message["role"] != "system"]
        seen = [found[1].strip() for text in said if (found := OBSERVED.search(text))]
        for words, script in SCRIPTS.items():
            if any(words in text for text in said):
                return script(seen)
        return answer("There is no script for this question.")

    def supports_function_calling(self) -> bool:
        """It speaks the text form, which every model understands."""
        return False

    def get_context_window_size(self) -> int:
        """So that crewai does not shorten what it is shown."""
        return WINDOW_TOKENS

    def get_input_tokens_count(self, messages: Any, *_: Any, **__: Any) -> int:
        """An estimate: nobody is billed for these tokens."""
        return len(str(messages)) // CHARACTERS_PER_TOKEN
