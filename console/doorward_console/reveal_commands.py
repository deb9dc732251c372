"""`doorward log reveal` and `check-reveal`: one content for somebody who has no key, and the check of it.

Whoever is given the text can check it against the log, or against a proof of its entry, without any key of an auditor.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from doorward_console import output
from doorward_console.asking import JsonOption
from doorward_console.log_reading import IdentityOption, KeysOption, LogOption, open_log

IndexOption = Annotated[int, typer.Option("--index", min=0, help="The entry whose content it is.")]


def reveal(
    *,
    log: LogOption,
    index: IndexOption,
    identity: IdentityOption = None,
    keys: KeysOption = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write it to this file.", dir_okay=False)] = None,
) -> None:
    """Write the content of one event, with the salt of its commitment, for somebody who is to check it."""
    from doorward_core.errors import RecordError  # noqa: PLC0415 - loaded by the commands that read a log
    from doorward_core.record.reveal import write  # noqa: PLC0415 - as above

    with output.failing(OSError, RecordError, ValueError):
        text = write(open_log(log, identity, keys).reveal(index))
        if out is not None:
            out.write_bytes(text)
        else:
            sys.stdout.write(text.decode())


def check_reveal(
    file: Annotated[Path, typer.Argument(help="What was revealed.", dir_okay=False, exists=True)],
    *,
    log: Annotated[Path | None, typer.Option("--log", help="Check it against this log.", file_okay=False)] = None,
    proof: Annotated[
        Path | None,
        typer.Option("--proof", help="Or against a proof of its entry (`log prove`).", dir_okay=False),
    ] = None,
    key: Annotated[str, typer.Option("--key", help="The log's public key (vkey), for a proof.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Check a revealed content against its entry, and show it. Against a log, `doorward verify` proves the rest."""
    from doorward_core.errors import RecordError  # noqa: PLC0415 - loaded by the commands that read a log
    from doorward_core.record.proof import Key, ProofError  # noqa: PLC0415 - as above
    from doorward_core.record.proof_check import MAX_FILE, Inclusion  # noqa: PLC0415 - as above
    from doorward_core.record.proof_check import check as check_proof  # noqa: PLC0415 - as above
    from doorward_core.record.reveal import MAX_TEXT, check, read  # noqa: PLC0415 - as above

    if (log is None) == (proof is None):
        output.fail("give what to check it against: --log, or --proof with --key")
    with output.failing(OSError, RecordError, ProofError, ValueError, status=output.NO):
        with file.open("rb") as opened:
            revealed = read(opened.read(MAX_TEXT + 1))
        if log is not None:
            entry = open_log(log).entry(revealed.index)
        else:
            assert proof is not None
            with proof.open("rb") as opened:
                found = check_proof(opened.read(MAX_FILE + 1), Key.parse(key))
            if not isinstance(found, Inclusion):
                raise ProofError("the proof is not of an entry")
            entry = found.entry
        payload = check(revealed, entry)
    if as_json:
        output.emit({"origin": revealed.origin, "index": revealed.index, "payload": dict(payload)})
        return
    output.say(f"entry {revealed.index} of {output.line(revealed.origin)} commits to this content:")
    for name, value in payload.items():
        output.say(f"  {output.line(name)}: {output.line(str(value))}")
