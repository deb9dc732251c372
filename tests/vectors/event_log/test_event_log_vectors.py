"""The committed vectors are what `make.py` makes today: the format has not drifted."""

import importlib.util
import json
from pathlib import Path

VECTORS = Path(__file__).parent


def test_the_vectors_are_made_as_they_were():
    spec = importlib.util.spec_from_file_location("event_log_vectors", VECTORS / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, content in module.made().items():
        assert json.loads((VECTORS / name).read_text()) == json.loads(json.dumps(content)), name
