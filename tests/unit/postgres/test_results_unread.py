"""What could not be read owes masks all the same (threat model P2): it is described, or it does not pass."""

import pytest

from doorward_core.errors import UpstreamProtocolError
from doorward_postgres.operations import View
from doorward_postgres.results import MaskDuty, MessagePlan


def test_a_message_that_could_not_be_read_needs_a_description_before_its_rows():
    plan = MessagePlan((), View(None, {}, 1), MaskDuty(b"k" * 32, hides_columns=True, detectors=None))
    assert plan.needs_fields
    with pytest.raises(UpstreamProtocolError):
        plan.rows(0, None)


def test_where_nothing_is_owed_rows_pass_without_a_description():
    plan = MessagePlan((), View(None, {}, 1), MaskDuty(b"k" * 32, hides_columns=False, detectors=None))
    assert not plan.needs_fields
    assert plan.rows(0, None).clear
