import os
import select
import subprocess
import sys

import pytest

from doorward_demo import children

# A parent that starts a child, says its number, and is then killed without a chance to do anything.
PARENT = """
import subprocess, sys, time
from doorward_demo import children
child = children.start([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"],
                       output=subprocess.PIPE, errors=None)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise is Linux's own")
def test_a_child_ends_with_a_parent_that_is_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
    ended, _, _ = select.select([child], [], [], 60)  # readable once the process has ended
    os.close(child)
    assert ended


def test_a_child_reads_nothing_and_leads_a_session_of_its_own():
    code = "import os, sys; print(sys.stdin.read() == '', os.getsid(0) == os.getpid())"
    with children.start([sys.executable, "-c", code], output=subprocess.PIPE, errors=None) as child:
        assert child.stdout.read() == b"True True\n"
    assert child.returncode == 0
