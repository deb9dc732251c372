"""`doorward log prove`, `check-proof` and `rotate-key`: proofs for others to check, and a new signing key.

A proof is a small text file (docs/spec/event-log.md, section 7.3) that is checked with the log's vkey alone.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.asking import JsonOption

if TYPE_CHECKING:
    from doorward_core.record.engine import Settings
    from doorward_core.record.proof import Head, Key
    from doorward_core.record.tile_hashes import TileHashes

app = typer.Typer(no_args_is_help=True, help="Proofs out of a log, and its signing key.")
LogArgument = Annotated[
    Path, typer.Argument(envvar="DOORWARD_LOG", help="The folder of the log, or a copy.", file_okay=False)
]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="Write it to this file.", dir_okay=False)]


@app.command()
def prove(
    log: LogArgument,
    *,
    index: Annotated[int | None, typer.Option("--index", min=0, help="Prove that this entry is in the log.")] = None,
    since: Annotated[int | None, typer.Option("--from", min=1, help="Prove that the log only grew from here.")] = None,
    size: Annotated[
        int | None, typer.Option("--size", "--to", min=1, help="In the tree of a checkpoint of this size.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="That checkpoint, where it is not the log's newest.")
    ] = None,
    out: OutOption = None,
) -> None:
    """Prove that an entry is in the log (--index), or that the log only grew (--from), in a file of its own."""
    from doorward_core.errors import RecordError  # noqa: PLC0415 - loaded by the commands that read a log
    from doorward_core.record import prove as proving  # noqa: PLC0415 - as above
    from doorward_core.record.proof import ProofError  # noqa: PLC0415 - as above

    if (index is None) == (since is None):
        output.fail("give either --index N, or --from N")
    with output.failing(OSError, RecordError, ProofError, ValueError):
        note, head, tiles = _tree(log, checkpoint, size)
        if index is not None:
            path = proving.inclusion(tiles.hash_at, index, head.size)
            text = proving.inclusion_text(tiles.entry(index), index, path, note)
        else:
            assert since is not None
            steps = proving.consistency(tiles.hash_at, since, head.size)
            text = proving.consistency_text(since, proving.tree_root(tiles.hash_at, since), steps, note)
        if out is not None:
            out.write_bytes(text)
        else:
            sys.stdout.write(text.decode())


def _tree(log: Path, checkpoint: Path | None, size: int | None) -> "tuple[bytes, Head, TileHashes]":
    """The checkpoint that is to be proved against, and the tree below it, which must make its root."""
    from doorward_core.errors import RecordError  # noqa: PLC0415 - as in `prove`
    from doorward_core.record.proof import read_note  # noqa: PLC0415 - as in `prove`
    from doorward_core.record.prove import tree_root  # noqa: PLC0415 - as in `prove`
    from doorward_core.record.tile_hashes import TileHashes  # noqa: PLC0415 - as in `prove`
    from doorward_core.record.tree_files import TreeFiles  # noqa: PLC0415 - as in `prove`

    files = TreeFiles(log)
    newest = files.checkpoint()
    note = checkpoint.read_bytes() if checkpoint is not None else newest
    if note is None or newest is None:
        raise RecordError(f"there is no log with a checkpoint at {log}")
    head, whole = read_note(note)[0], read_note(newest)[0]
    if size is not None and size != head.size:
        raise RecordError(
            f"the checkpoint is of {head.size} entries, not {size}: give the one of that size (--checkpoint)"
        )
    if head.size > whole.size:
        raise RecordError(f"the checkpoint is of {head.size} entries, and this log has {whole.size}")
    tiles = TileHashes(files, whole.size)
    if tree_root(tiles.hash_at, head.size) != head.root:
        raise RecordError("the log's tiles do not make the root of that checkpoint: `doorward verify` says more")
    return note, head, tiles


@app.command("check-proof")
def check_proof(
    file: Annotated[Path, typer.Argument(help="The proof.", dir_okay=False, exists=True)],
    *,
    key: Annotated[str, typer.Option("--key", help="The log's public key (vkey), as you got it elsewhere.")] = "",
    key_file: Annotated[Path | None, typer.Option("--key-file", help="A file with that key.", dir_okay=False)] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="The earlier checkpoint that you kept: it must be the proof's.")
    ] = None,
    witness: Annotated[
        list[str] | None, typer.Option("--witness", help="The vkey of a witness that you trust.")
    ] = None,
    quorum: Annotated[int, typer.Option("--quorum", min=0, help="How many of them must have cosigned; 0: all.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Check a proof with the log's key alone: the log is not needed."""
    from doorward_core.record.proof import Key, ProofError  # noqa: PLC0415 - loaded by the commands that check
    from doorward_core.record.proof_check import MAX_FILE, Inclusion, check  # noqa: PLC0415 - as above
    from doorward_core.record.quorum import Required  # noqa: PLC0415 - as above

    with output.failing(OSError, UnicodeError, ProofError):
        vkey = key_file.read_text(encoding="ascii") if key_file is not None else key
        if not vkey:
            output.fail("give the log's vkey: --key or --key-file")
        pinned, required = Key.parse(vkey), Required.of(witness or (), quorum)
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
        earlier = checkpoint.read_bytes() if checkpoint is not None else None
    with output.failing(ProofError, status=output.NO):
        found = check(data, pinned)
        cosigned, problem = required.judge(found.note) if required.witnesses else ({}, "")
        if problem:
            raise ProofError(problem)
        if isinstance(found, Inclusion):
            said = _included(found.index, found.entry)
        else:
            said = _extended(found.old_size, found.old_root, earlier, pinned)
    facts = {"origin": found.head.origin, "size": found.head.size, **said}
    if as_json:
        output.emit({"ok": True, **facts, "cosigned": dict(cosigned)})
    else:
        _show(facts, cosigned)


def _show(facts: Mapping[str, object], cosigned: Mapping[str, int]) -> None:
    for name, value in facts.items():
        output.say(f"{name:9} {output.line(str(value))}")
    for name, at in cosigned.items():
        output.say(f"cosigned  {name}, {output.moment(at * 1_000_000_000)}")
    output.say("ok: proved by the log's key")


def _included(index: int, entry: bytes) -> dict[str, object]:
    from doorward_core.record import strict  # noqa: PLC0415 - as in `check_proof`
    from doorward_core.record.proof import ProofError  # noqa: PLC0415 - as in `check_proof`

    try:
        item = strict.entry(entry)
    except strict.StrictError as error:
        raise ProofError(f"it is in the tree, and no entry of a log: {error}") from error
    return {"proves": "this entry is in the log", "index": index, "kind": item.kind, "at": output.moment(item.at)}


def _extended(old_size: int, old_root: bytes, earlier: bytes | None, key: "Key") -> dict[str, object]:
    import base64  # noqa: PLC0415 - beside its only use

    from doorward_core.record import proof  # noqa: PLC0415 - as in `check_proof`

    said: dict[str, object] = {
        "proves": "the log only grew",
        "from": old_size,
        "root": base64.b64encode(old_root).decode(),
    }
    if earlier is None:
        return {**said, "earlier": "not compared: give --checkpoint with the one that you kept"}
    head = proof.checkpoint(earlier, key)
    if (head.size, head.root) != (old_size, old_root):
        raise proof.ProofError("the proof begins from another checkpoint than the one that you kept")
    return {**said, "earlier": "it is the checkpoint that you kept"}


@app.command("rotate-key")
def rotate_key(
    *,
    config: Annotated[Path, typer.Option("--config", help="The gateway's configuration.", dir_okay=False)],
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Only make the next key and print its vkey, for witnesses to know it.")
    ] = False,
) -> None:
    """Give a stopped gateway's log a new signing key, signed by the old one, which is then gone."""
    import time  # noqa: PLC0415 - beside its only use

    from doorward_core.errors import GatewayError  # noqa: PLC0415 - loaded by the commands that write
    from doorward_core.record import rotation  # noqa: PLC0415 - as above

    with output.failing(OSError, GatewayError):
        settings = _settings(config)
        if prepare:
            output.say(rotation.prepare(settings))
            return
        done = rotation.rotate(settings, time.time_ns())
    output.say(done.new)
    if not done.finished:
        output.fail(
            "the new key signs; the old one is kept until the second place can be written: see `mirror`", output.NO
        )


def _settings(config: Path) -> "Settings":
    from doorward_core.config import load_config  # noqa: PLC0415 - as in `rotate_key`
    from doorward_core.record.engine import Settings  # noqa: PLC0415 - as in `rotate_key`

    loaded = load_config(config)
    record = loaded.record
    keys = record.keys
    return Settings(record.folder, loaded.origin, keys / "log.key", keys / "payload", record.recipients, record.mirror)
