"""The quoting of every name that ends up in a file of `doorward init`."""

import pytest
import yaml

from doorward_console.init_text import comment, listing, quoted

NAMES = ["plain", 'a"b', "a: {b}", "# no", "\u202eevil", "new\nline", "é", "\\"]


@pytest.mark.parametrize("name", NAMES)
def test_yaml_reads_a_name_back_as_it_was(name):
    assert yaml.safe_load(quoted(name)) == name
    assert yaml.safe_load(listing((name, name))) == [name, name]


@pytest.mark.parametrize("name", NAMES)
def test_a_comment_stays_one(name):
    assert yaml.safe_load(f"a: 1  # {comment(name)}\n") == {"a": 1}
