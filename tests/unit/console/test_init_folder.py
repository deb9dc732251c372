"""Files are put in place whole and checked, or not at all."""

import stat
from dataclasses import replace

import pytest

from doorward_console.init_certificate import self_signed
from doorward_console.init_files import config_text, policy_text
from doorward_console.init_folder import (
    CERTIFICATE,
    CONFIG,
    KEY,
    NAMES,
    POLICY,
    WouldNotLoad,
    in_the_way,
    kept_certificate,
    put,
)

NOW = 1_800_000_000 * 10**9


@pytest.fixture
def files(wanted):
    certificate, key, _ = self_signed(("localhost",))
    asked = replace(wanted, certificate=CERTIFICATE, key=KEY)
    return {
        CERTIFICATE: certificate,
        KEY: key,
        CONFIG: config_text(asked).encode(),
        POLICY: policy_text(asked, (), ()).encode(),
    }


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_everything_is_put_in_place_and_nothing_else(tmp_path, files):
    put(tmp_path / "new" / "folder", files, NOW)
    assert everything(tmp_path / "new" / "folder") == sorted([*files, "state", "tls"])


def test_only_the_owner_reads_keys_and_state(tmp_path, files):
    put(tmp_path, files, NOW)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (KEY, "state")] == [0o600, 0o700]


@pytest.mark.parametrize(("broken", "word"), [(CONFIG, "doorward.yaml:"), (POLICY, "policy.yaml:")])
def test_what_would_not_load_is_not_put_in_place(tmp_path, files, broken, word):
    with pytest.raises(WouldNotLoad, match=word) as refused:
        put(tmp_path, files | {broken: files[broken] + b"\nunheard-of: 1\n"}, NOW)
    assert everything(tmp_path) == []
    assert ".doorward-init-" not in str(refused.value)


def test_a_certificate_that_is_there_is_used_again(tmp_path, files):
    put(tmp_path, files, NOW)
    assert kept_certificate(tmp_path)
    again = {name: files[name] for name in (CONFIG, POLICY)}
    before = (tmp_path / CERTIFICATE).read_bytes()
    put(tmp_path, again, NOW)
    assert (tmp_path / CERTIFICATE).read_bytes() == before
    assert everything(tmp_path) == sorted([*files, "state", "tls"])


def test_an_operators_own_certificate_may_lie_anywhere(tmp_path, wanted, files):
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    for place in (folder, elsewhere):
        (place / "my.crt").write_bytes(files[CERTIFICATE])
        (place / "my.key").write_bytes(files[KEY])
    for certificate, key in (("my.crt", "my.key"), (str(elsewhere / "my.crt"), str(elsewhere / "my.key"))):
        asked = config_text(replace(wanted, certificate=certificate, key=key)).encode()
        put(folder, {CONFIG: asked, POLICY: files[POLICY]}, NOW, needed=(certificate, key))
    assert everything(folder) == sorted([CONFIG, POLICY, "my.crt", "my.key", "state"])


def test_what_stands_in_the_way_is_named_dangling_links_too(tmp_path):
    assert in_the_way(tmp_path, NAMES) == []
    (tmp_path / POLICY).symlink_to("nowhere")
    assert in_the_way(tmp_path, NAMES) == [POLICY]
