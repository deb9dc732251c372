"""A crew that works on a shop's database: one analyst, three tasks, crewai_tools' NL2SQLTool as it is shipped.

It is an ordinary CrewAI program. Nothing in it knows of Doorward: the address in DATABASE_URI is the gateway's, and
libpq's own variables (PGSSLMODE, PGSSLROOTCERT, PGPASSFILE) say whom to trust and which token to present.

OFFLINE=1 refuses whatever would leave this machine, and fails if anything tried to.
"""

import logging
import os
import sys

if os.environ.get("OFFLINE") == "1":
    import offline  # before everything that might want to reach out

from crewai import Agent, Crew, Task
from crewai.hooks import (
    LLMCallHookContext,
    ToolCallHookContext,
    register_after_llm_call_hook,
    register_after_tool_call_hook,
    register_before_tool_call_hook,
)
from crewai_tools import NL2SQLTool
from scripted import ScriptedModel

TASKS = (
    "Who are our three newest customers, and how do we reach them? List the newest customers with mail and phone.",
    "Make a fresh summary of customers by country, for the winter review.",
    "Customer 46 asked for no more mail: take customer 46 off the newsletter, and make sure of it.",
)


def main() -> None:
    """Put the crew to work, and show what it does as it does it."""
    show_work()
    model = ScriptedModel(model="scripted")  # a real one: model = crewai.LLM(model="...") and its key
    tool = NL2SQLTool(db_uri=os.environ["DATABASE_URI"], allow_dml=True)  # what it may do, the gateway decides
    say(f"NL2SQLTool found the tables {', '.join(table['table_name'] for table in tool.tables)}.")
    analyst = Agent(
        role="Retention analyst",
        goal="Keep the shop's customers, and keep its data in order.",
        backstory="You answer from the database, and you do as you are told when something is refused.",
        llm=model,
        tools=[tool],
    )
    tasks = [Task(description=text, expected_output="The rows that answer it.", agent=analyst) for text in TASKS]
    # Without crewai's cache: a query that is asked again after a change has to be asked of the database.
    crew = Crew(name="retention", agents=[analyst], tasks=tasks, cache=False, task_callback=show_answer)
    say(f"\n## Task: {TASKS[0]}")
    crew.kickoff()
    if "offline" in sys.modules and offline.attempts:
        sys.exit(f"something tried to leave this machine: {', '.join(offline.attempts)}")


def say(text: str) -> None:
    """Print at once: whoever watches is to see it when it happens."""
    print(text, flush=True)


def show_work() -> None:
    """Show thoughts, statements, answers, and what the server says meanwhile."""
    # SQLAlchemy passes a server's notices to its log: that is how a person at this terminal learns of a hold.
    notices = logging.getLogger("sqlalchemy.dialects.postgresql")
    notices.setLevel(logging.INFO)
    notices.addHandler(logging.StreamHandler(sys.stdout))
    register_after_llm_call_hook(show_thought)
    register_before_tool_call_hook(show_statement)
    register_after_tool_call_hook(show_result)


def show_thought(context: LLMCallHookContext) -> None:
    """What the model thinks, before it acts."""
    thought = str(context.response or "").partition("Thought:")[2].partition("\n")[0].strip()
    say(f"analyst: {thought}")


def show_statement(context: ToolCallHookContext) -> None:
    """What the tool is about to run."""
    say(f"  sql> {context.tool_input.get('sql_query')}")


def show_result(context: ToolCallHookContext) -> None:
    """What the tool gave back; of its long words about an error, the error."""
    text = str(context.tool_result or "").partition("\n\n")[0]  # crewai adds its instructions again, now and then
    text = text.rpartition(" and the error ")[2].partition("\n[SQL:")[0]
    for line in text.splitlines():
        say(f"  {line}")


def show_answer(output: object) -> None:
    """What the task came to, and the next one."""
    for line in str(getattr(output, "raw", output)).splitlines():
        say(f"=> {line}")
    done = [index for index, text in enumerate(TASKS) if text == getattr(output, "description", "")]
    if done and done[0] + 1 < len(TASKS):
        say(f"\n## Task: {TASKS[done[0] + 1]}")


if __name__ == "__main__":
    main()
