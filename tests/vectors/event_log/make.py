"""Makes the vectors of docs/spec/event-log.md section 12; `python make.py` writes them beside itself.

The files are what counts: a test compares them with what this makes, so that the format cannot drift unseen.
The keys, salts and times are fixed and worthless.
"""

import base64
import json
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doorward_core.record import checkpoint, cosign, entry, journal, merkle, prove, witness
from doorward_core.record.encode import encode
from doorward_core.record.publish import Publisher
from doorward_core.record.tiles import unpack_bundle

HERE = Path(__file__).parent
ORIGIN = "vectors.example/log"
SEED = bytes(range(32))
SESSION = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
OPERATION = bytes.fromhex("101112131415161718191a1b1c1d1e1f")
KEY_ID = bytes.fromhex("202122232425262728292a2b2c2d2e2f")
PAYLOAD_KEY = bytes(range(64, 96))
SALT = bytes(range(128, 160))
AT = 1_800_000_000_000_000_000

HEAD = {"subject": "crew-analyst", "verb": "SELECT", "verdict": "permit", "rules": ["analysts-read"], "rows": 5}
PAYLOAD = {"text": "SELECT 1", "parameters": ["42", None]}


def one(index, *, head=None, payload=None, sealed=False, kind="operation.decided", at=AT):
    """The entries of one event, with everything random fixed."""
    body = encode(payload) if payload else b""
    commit = key = blob = b""
    if body:
        commit, blob = entry.commitment(SALT, body), entry.frame(SALT, body)
        if sealed:
            key, blob = KEY_ID, entry.seal(AESGCM(PAYLOAD_KEY), index, blob, commit)
    packed = encode(HEAD if head is None else head)
    builder = entry.Builder(ORIGIN)
    return builder.event(index, at, kind, SESSION, OPERATION, head=packed, commit=commit, key=key, blob=blob)


def entries():
    """entries.json."""
    cases = []
    for name, options in {
        "no payload": {},
        "plain payload": {"payload": PAYLOAD},
        "sealed payload": {"payload": PAYLOAD, "sealed": True},
        "in parts": {"payload": {"shown": b"\xaa" * 100_000}},
        "sealed, in parts": {"payload": {"shown": b"\xaa" * 100_000}, "sealed": True},
    }.items():
        made = one(1_000_000, **options)
        short = len(made) == 1
        cases.append(
            {
                "name": name,
                "fields": {
                    "at": AT,
                    "index": 1_000_000,
                    "kind": "operation.decided",
                    "op": OPERATION.hex(),
                    "origin": ORIGIN,
                    "session": SESSION.hex(),
                    "key": KEY_ID.hex() if options.get("sealed") else "",
                    "head": HEAD,
                },
                "salt": SALT.hex() if options else "",
                "payload_key": PAYLOAD_KEY.hex() if options.get("sealed") else "",
                "body": encode(options["payload"]).hex() if options and short else "",
                "body_is": "" if short else '{"shown": 100,000 bytes of aa}',
                "entries": [data.hex() for data in made] if short else [],
                "entry_lengths": [len(data) for data in made],
                "leaf_hashes": [merkle.leaf_hash(data).hex() for data in made],
            }
        )
    return cases


def tree():
    """tree.json: the inputs are those that Certificate Transparency's reference tests use."""
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    hashes = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in leaves]
    sizes = range(1, len(hashes) + 1)
    return {
        "leaves": leaves,
        "roots": [merkle.root(hashes[:size]).hex() for size in range(len(hashes) + 1)],
        "inclusion": [
            {"index": at, "size": size, "proof": [item.hex() for item in merkle.inclusion_proof(hashes[:size], at)]}
            for size in sizes
            for at in range(size)
        ],
        "consistency": [
            {"old": old, "new": new, "proof": [item.hex() for item in merkle.consistency_proof(hashes[:new], old)]}
            for new in sizes
            for old in range(1, new + 1)
        ],
    }


def signer():
    """The signing key."""
    return Ed25519PrivateKey.from_private_bytes(SEED)


def vkey():
    """Its public form."""
    return checkpoint.make_vkey(ORIGIN, checkpoint.public_bytes(signer().public_key()))


def checkpoints():
    """checkpoint.json."""
    head = checkpoint.Checkpoint(ORIGIN, 20_852_163, bytes(range(32)))
    note = checkpoint.sign(head, signer()).decode()
    origin, size, root, _, line, _ = note.split("\n")

    def rebuilt(text):
        signature = base64.b64encode(
            checkpoint.key_id(ORIGIN, checkpoint.public_bytes(signer().public_key())) + signer().sign(text.encode())
        ).decode()
        return f"{text}\n\N{EM DASH} {ORIGIN} {signature}\n"

    return {
        "seed": SEED.hex(),
        "vkey": vkey(),
        "size": head.size,
        "root": head.root.hex(),
        "note": note,
        "good": {
            "with a line by an unknown key": note + "\N{EM DASH} witness.example AAAAAAAA\n",
        },
        "bad": {
            "another size": note.replace(size, "20852164"),
            "another origin": note.replace(f"{origin}\n", "other.example/log\n", 1),
            "a signature by another key id": note.replace(line, f"\N{EM DASH} {ORIGIN} AAAAAAAA"),
            "no signature": f"{origin}\n{size}\n{root}\n",
            "no signature line": f"{origin}\n{size}\n{root}\n\n",
            "a size with a leading zero": rebuilt(f"{origin}\n0{size}\n{root}\n"),
            "a size with a sign": rebuilt(f"{origin}\n+{size}\n{root}\n"),
            "a size in other digits": rebuilt(f"{origin}\n\N{ARABIC-INDIC DIGIT ONE}\n{root}\n"),
            "a root of 31 bytes": rebuilt(f"{origin}\n{size}\n{base64.b64encode(bytes(31)).decode()}\n"),
            "a root whose unused bits are set": rebuilt(f"{origin}\n{size}\n{'A' * 42}B=\n"),
            "an extension line": rebuilt(f"{origin}\n{size}\n{root}\nextension\n"),
            "a carriage return": rebuilt(f"{origin}\n{size}\r\n{root}\n"),
            "another origin, well signed": rebuilt(f"other.example\n{size}\n{root}\n"),
            "no line end": note[:-1],
            "nothing": "",
        },
    }


WITNESS = "witness.example/w1"
COSIGNED_AT = 1_679_315_147


def cosigned():
    """cosigned.json: a witness that cosigned a tree of 3 entries is asked about one of 7."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(reversed(range(32))))
    hashes = [merkle.leaf_hash(bytes([number])) for number in range(7)]
    held, offered = (checkpoint.Checkpoint(ORIGIN, size, merkle.root(hashes[:size])) for size in (3, 7))
    note = checkpoint.sign(offered, signer())
    line = cosign.cosign(offered.text(), WITNESS, key, COSIGNED_AT)
    witness_vkey = cosign.witness_vkey(WITNESS, key)
    proof = merkle.consistency_proof(hashes, 3)
    request = witness.write_request(3, proof, note)
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    blob = bytearray(base64.b64decode(line.split()[-1]))
    later = bytes(blob[:4]) + (COSIGNED_AT + 1).to_bytes(8, "big") + bytes(blob[12:])
    far = bytes(blob[:4]) + (2**63).to_bytes(8, "big") + bytes(blob[12:])

    def by(data):
        return f"\N{EM DASH} {WITNESS} {base64.b64encode(data).decode()}\n"

    return {
        "log_vkey": vkey(),
        "witness_seed": bytes(reversed(range(32))).hex(),
        "witness_vkey": witness_vkey,
        "time": COSIGNED_AT,
        "message": cosign.message(offered.text(), COSIGNED_AT).decode(),
        "note": (note + line).decode(),
        "held": {"size": held.size, "root": held.root.hex()},
        "request": request.decode(),
        "answer": line.decode(),
        "ignored": {
            "by a witness of another name": cosign.cosign(offered.text(), "other.example", key, 1).decode(),
            "by another key": cosign.cosign(offered.text(), WITNESS, other, 1).decode(),
        },
        "bad_lines": {
            "another time": by(later),
            "a time beyond 2^63 - 1": by(far),
            "a byte short": by(bytes(blob[:-1])),
            "over another note": cosign.cosign(held.text(), WITNESS, key, COSIGNED_AT).decode(),
        },
        "bad_requests": {
            "no empty line": request.decode().replace("\n\n", "\n", 1),
            "an old size with a leading zero": request.decode().replace("old 3", "old 03"),
            "an old size with a sign": request.decode().replace("old 3", "old +3"),
            "no old size": request.decode().removeprefix("old 3\n"),
            "a hash of 31 bytes": request.decode().replace(
                base64.b64encode(proof[0]).decode(), base64.b64encode(proof[0][:31]).decode()
            ),
            "64 hashes": witness.write_request(3, [bytes(32)] * 64, note).decode(),
            "no checkpoint": request.decode().partition("\n\n")[0] + "\n\n",
            "nothing": "",
        },
        "refused_requests": {
            "404": witness.write_request(0, (), rebuilt_note("unknown.example", 7, offered.root)).decode(),
            "403": witness.write_request(3, proof, checkpoint.sign(offered, other)).decode(),
            "400": witness.write_request(8, (), note).decode(),
            "409": witness.write_request(0, (), note).decode(),
            "409 forked": witness.write_request(
                3, (), checkpoint.sign(checkpoint.Checkpoint(ORIGIN, 3, bytes(32)), signer())
            ).decode(),
            "422": witness.write_request(3, [bytes(32), *proof[1:]], note).decode(),
        },
    }


def rebuilt_note(origin, size, root):
    """A checkpoint of another origin by the same key."""
    return checkpoint.sign(checkpoint.Checkpoint(origin, size, root), signer())


def proofs():
    """proofs.json: over the 257 entries that the checkpoint of log.json covers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log(folder)
        note = (folder / "checkpoint").read_bytes()
        entries = [
            data
            for bundle in ("000", "001.p/1")
            for data in unpack_bundle((folder / "tile" / "entries" / bundle).read_bytes())
        ]
    hashes = [merkle.leaf_hash(data) for data in entries]
    path = merkle.inclusion_proof(hashes, 7)
    inclusion = prove.inclusion_text(entries[7], 7, path, note).decode()
    old = merkle.root(hashes[:100])
    steps = merkle.consistency_proof(hashes, 100)
    consistency = prove.consistency_text(100, old, steps, note).decode()
    first = base64.b64encode(path[0]).decode()
    return {
        "vkey": vkey(),
        "inclusion": inclusion,
        "consistency": consistency,
        "same_size": prove.consistency_text(257, merkle.root(hashes), (), note).decode(),
        "bad": {
            "another index": inclusion.replace("index 7\n", "index 6\n"),
            "an index beyond the tree": inclusion.replace("index 7\n", "index 257\n"),
            "an index with a leading zero": inclusion.replace("index 7\n", "index 07\n"),
            "another entry": prove.inclusion_text(entries[8], 7, path, note).decode(),
            "no entry": inclusion.replace(inclusion.split("\n")[1] + "\n", ""),
            "a hash less": inclusion.replace(first + "\n", ""),
            "a hash more": inclusion.replace(first + "\n", f"{first}\n{first}\n"),
            "another kind": inclusion.replace("tlog-proof@v1", "tlog-proof@v2"),
            "another checkpoint": inclusion.replace("\n257\n", "\n258\n"),
            "another earlier size": consistency.replace("old 100 ", "old 101 "),
            "an earlier size of none": consistency.replace("old 100 ", "old 0 "),
            "another earlier root": prove.consistency_text(100, bytes(32), steps, note).decode(),
            "a step less": prove.consistency_text(100, old, steps[1:], note).decode(),
            "a step more": prove.consistency_text(100, old, [*steps, bytes(32)], note).decode(),
            "another root of the same size": prove.consistency_text(257, old, (), note).decode(),
            "nothing": "",
        },
    }


def log(folder):
    """Write the tree of log.json into a folder: 259 entries, the last two behind the checkpoint."""
    head = {"format": "doorward-event-log@1", "previous": "none", "sealed": True, "vkey": vkey()}
    made = one(0, head=head, kind="log.opened")
    while len(made) < 257:
        options = {"payload": PAYLOAD, "sealed": len(made) % 2 == 0} if len(made) % 4 else {}
        made += one(len(made), head={"rows": len(made)}, at=AT + len(made), **options)
    (folder / journal.FOLDER).mkdir()
    publisher = Publisher(folder, ORIGIN, signer(), None)
    publisher.add(made)
    publisher.checkpoint()
    for _ in range(2):
        made += one(len(made), head={}, at=AT + len(made))
    segment = journal.Journal(folder / journal.FOLDER)
    segment.start(256, made[256:257])
    segment.write(made[257:])
    segment.close()


def whole_log():
    """log.json."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log(folder)
        files = {
            path.relative_to(folder).as_posix(): base64.b64encode(path.read_bytes()).decode()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    return {
        "vkey": vkey(),
        "ok": True,
        "checkpoint_size": 257,
        "size": 259,
        "payload_keys": {KEY_ID.hex(): PAYLOAD_KEY.hex()},
        "flips": [
            {"what": "one bit of entry 7's header", "file": "tile/entries/000", "entry": 7},
            {"what": "one bit of entry 256's header", "file": "tile/entries/001.p/1", "entry": 256},
        ],
        "files": files,
    }


def made():
    """Everything that is generated, by file name; canonical.json is written by hand."""
    return {
        "entries.json": entries(),
        "tree.json": tree(),
        "checkpoint.json": checkpoints(),
        "cosigned.json": cosigned(),
        "proofs.json": proofs(),
        "log.json": whole_log(),
    }


if __name__ == "__main__":
    for file_name, content in made().items():
        (HERE / file_name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
