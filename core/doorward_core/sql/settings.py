"""Settings: which of them a session may change without changing what a statement means or may do.

It implements the GUC names of PostgreSQL 13 to 18 and ARCHITECTURE.md, "Deciding on SQL";
threat model PG-06, PG-07, PG-08, PG-28.
A setting is harmless only if it is listed; a pinned one only at its pinned value.
It changes nothing and remembers nothing.
"""

from dataclasses import dataclass

# Off, `row_security` lifts no policy: it makes an error of a query that one would narrow (pg_dump asks for that).
HARMLESS = frozenset(
    {"application_name", "bytea_output", "client_min_messages", "datestyle",
     "default_statistics_target", "default_transaction_deferrable", "default_transaction_isolation",
     "effective_cache_size", "enable_bitmapscan", "enable_hashagg", "enable_hashjoin", "enable_indexonlyscan",
     "enable_indexscan", "enable_material", "enable_memoize", "enable_mergejoin", "enable_nestloop",
     "enable_parallel_hash", "enable_seqscan", "enable_sort", "enable_tidscan", "extra_float_digits",
     "from_collapse_limit", "geqo", "idle_in_transaction_session_timeout", "idle_session_timeout", "intervalstyle",
     "jit", "join_collapse_limit", "lc_monetary", "lc_numeric", "lc_time", "lock_timeout",
     "max_parallel_workers_per_gather", "parallel_setup_cost", "parallel_tuple_cost", "plan_cache_mode",
     "random_page_cost", "restrict_nonsystem_relation_kind", "row_security", "search_path",
     "seq_page_cost", "statement_timeout", "synchronize_seqscans", "timezone", "transaction_deferrable",
     "transaction_isolation", "transaction_timeout", "work_mem", "xmlbinary",
     "xmloption", "hash_mem_multiplier"}
)  # fmt: skip

_ON = frozenset({"on", "true", "yes", "1", "t", "tr", "tru", "y", "ye"})
_UTF8 = frozenset({"utf8", "unicode"})
# Only these values are harmless: everything in the gateway reads SQL under them, or relies on the server's refusal.
PINNED = {
    "client_encoding": _UTF8,
    "standard_conforming_strings": _ON,
    "default_transaction_read_only": _ON,
    "transaction_read_only": _ON,
}
# Settings that say who the session is.
ROLE_SETTINGS = frozenset({"role", "session_authorization"})
# RESET of these returns to what the gateway set at start-up; of the others in PINNED it could loosen a transaction.
_RESETTABLE = frozenset({"client_encoding", "standard_conforming_strings", "default_transaction_read_only"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a change of a setting is: its canonical name, whether it is harmless, and why not."""

    name: str
    harmless: bool
    problem: str = ""


def judge_setting(name: str, values: list[str]) -> Verdict:
    """Judge setting `name` to `values` (several for a list)."""
    lowered = name.lower()
    pinned = PINNED.get(lowered)
    if pinned is not None:
        value = _plain(values[0] if len(values) == 1 else "", lowered)
        if value in pinned:
            return Verdict(lowered, harmless=True)
        return Verdict(lowered, harmless=False, problem=f"{lowered} is pinned in this session")
    if lowered in HARMLESS:
        return Verdict(lowered, harmless=True)
    return Verdict(lowered, harmless=False, problem=f"{lowered} is not a setting that is known to be harmless")


def judge_reset(name: str) -> Verdict:
    """Judge RESET (or SET ... TO DEFAULT) of `name`."""
    lowered = name.lower()
    if lowered in HARMLESS or lowered in _RESETTABLE:
        return Verdict(lowered, harmless=True)
    return Verdict(lowered, harmless=False, problem=f"{lowered} is not a setting that is known to be harmless")


def _plain(value: str, name: str) -> str:
    """A value as the server compares it: encodings without case and punctuation, as `pg_char_to_encoding` does."""
    if name == "client_encoding":
        return "".join(letter for letter in value.lower() if letter.isascii() and letter.isalnum())
    return value.lower()
