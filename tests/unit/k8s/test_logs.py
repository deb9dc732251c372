"""A log is masked line by line; a line that pauses is let go, and told so, unless policy is strict."""

from doorward_core.mask.detect import detectors_for
from doorward_core.model import Mask, Transform
from doorward_core.terminal import TIMED
from doorward_k8s.logs import LogText

DETECTORS = detectors_for((Mask("pii", (), ("email",), Transform.REDACT, "pii"),))


def test_a_line_that_pauses_is_let_go_and_told():
    log = LogText(DETECTORS, b"k" * 32)
    assert log.flush_after_s is None
    assert log.feed(b"a whole line\nto be") == b"a whole line\n"
    assert log.flush_after_s == 0.2
    assert log.flush() == b"to be"
    assert log.coverage == (TIMED,)


def test_strict_lets_nothing_go_before_it_is_whole():
    log = LogText(DETECTORS, b"k" * 32, strict=True)
    log.feed(b"to ada@")
    assert log.flush_after_s is None
    assert log.feed(b"example.com\n") == b"to [masked:email]\n"
    assert log.coverage == ()
