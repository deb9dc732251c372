"""A log that witnesses have cosigned, and what a forger would put in its place; made by the writer's own engine."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doorward_core.record import checkpoint
from doorward_core.record.cosign import cosign, witness_vkey
from doorward_core.record.encode import encode
from doorward_core.record.engine import Engine, Settings
from doorward_core.record.keys import signing_key

NOW = 1_800_000_000_000_000_000
ORIGIN = "gateway.example/a"
SIGNED_S = 1_800_000_000


class CosignedLog:
    """`w0`, `w1`, ... are its witnesses; what they signed lies in `second`, as a gateway's mirror has it."""

    def __init__(self, root, *, words="SELECT 1", count=300, witnesses=2, keys=None):
        self.root, self.folder, self.second, self.words = root, root / "log", root / "second", words
        signer = keys or root / "keys" / "log.key"
        self.settings = Settings(self.folder, ORIGIN, signer, signer.parent / "payload", mirror=self.second)
        self.keys = [Ed25519PrivateKey.generate() for _ in range(witnesses)]
        self.grow(count)

    def grow(self, count):
        engine = Engine(self.settings)
        engine.open(NOW)
        for _ in range(count):
            engine.add(engine.size, NOW, "a.b", b"", b"", head=encode({}), body=encode({"text": self.words}))
        engine.close(NOW)
        return self

    @property
    def vkey(self):
        return self.settings.signer.with_suffix(".vkey").read_text().strip()

    @property
    def note(self):
        return (self.folder / "checkpoint").read_bytes()

    @property
    def size(self):
        return checkpoint.parse_text(checkpoint.split(self.note)[0]).size

    @property
    def vkeys(self):
        return [witness_vkey(f"w{place}.example", key) for place, key in enumerate(self.keys)]

    @property
    def cosigned(self):
        return self.second / "checkpoint.cosigned"

    def line(self, place, *, key=None, time_s=SIGNED_S, text=None):
        """A signature line in the name of one witness, by its key or another's."""
        text = checkpoint.split(self.note)[0] if text is None else text
        return cosign(text, f"w{place}.example", key or self.keys[place], time_s)

    def forged(self, place):
        """A line under a witness's name and key id, whose signature is of another text."""
        return self.line(place, text=b"another text\n")

    def put(self, *lines, note=None):
        """Write the cosigned checkpoint."""
        self.cosigned.write_bytes((self.note if note is None else note) + b"".join(lines))
        return self

    def own_key_as_witness(self):
        """The log's own key, under the name of a witness: its vkey."""
        return witness_vkey("w0.example", signing_key(self.settings.signer, ORIGIN)[0])
