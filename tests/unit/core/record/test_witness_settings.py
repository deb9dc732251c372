"""A witness's configuration: strict, with every fault at once."""

import pytest

from doorward_core.errors import ConfigError
from doorward_core.record.witness_settings import load_witness_settings


@pytest.fixture
def written(tmp_path, vectors):
    vkey = vectors("checkpoint.json")["vkey"]

    def write(**changes):
        parts = {
            "version": "1",
            "name": "witness.example/w1",
            "key": "w.key",
            "state": "state",
            "listen": "{address: 127.0.0.1, port: 0}",
            "logs": f'{{"vectors.example/log": ["{vkey}"]}}',
        } | changes
        path = tmp_path / "witness.yaml"
        path.write_text("".join(f"{key}: {value}\n" for key, value in parts.items() if value is not None))
        return path

    return write


def test_a_whole_configuration(written, tmp_path):
    settings = load_witness_settings(written())
    assert settings.key == tmp_path / "w.key"
    assert list(settings.logs) == ["vectors.example/log"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "a b"}, "printable"),
        ({"name": None}, "name: is missing"),
        ({"logs": "{}"}, "at least one"),
        ({"logs": '{"a.b": []}'}, "at least one"),
        ({"logs": '{"a.b": ["nonsense"]}'}, "Ed25519 vkey"),
        ({"colour": "red"}, "unknown key"),
        ({"listen": "{address: 127.0.0.1}"}, "port"),
        ({"version": "2"}, "version"),
    ],
)
def test_faults_are_said_in_words(written, changes, words):
    with pytest.raises(ConfigError) as caught:
        load_witness_settings(written(**changes))
    assert words in "\n".join(caught.value.problems)


def test_a_key_under_another_origin_s_name_is_a_fault(written, vectors):
    vkey = vectors("checkpoint.json")["vkey"]
    with pytest.raises(ConfigError) as caught:
        load_witness_settings(written(logs=f'{{"other.example": ["{vkey}"]}}'))
    assert "a key of `vectors.example/log`" in caught.value.problems[0]


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError):
        load_witness_settings(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"\xff")
    with pytest.raises(ConfigError):
        load_witness_settings(tmp_path / "bad.yaml")
