"""Where a secret is, and never the secret."""

import pytest
from pydantic import ValidationError

from doorward_core.config_secrets import SecretSource


def test_a_secret_in_the_file_is_refused_and_not_repeated():
    with pytest.raises(ValidationError) as caught:
        SecretSource.model_validate("hunter2")
    assert "hunter2" not in str(caught.value)
    assert "never written here" in str(caught.value)


@pytest.mark.parametrize(
    "given", [{}, {"env": "A", "file": "b"}, {"env": "1A"}, {"exec": ()}, {"env": "A", "ttl": "5m"}]
)
def test_there_is_one_source_and_it_makes_sense(given):
    with pytest.raises(ValidationError):
        SecretSource.model_validate(given)


def test_each_source_alone_will_do():
    assert SecretSource.model_validate({"env": "NAME"}).env == "NAME"
    assert SecretSource.model_validate({"exec": ["vault", "read"]}).exec == ("vault", "read")
