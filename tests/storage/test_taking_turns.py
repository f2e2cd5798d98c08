from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hm_platform.storage.taking_turns import taking_turns

HOLD = """
import sys, time
from pathlib import Path
from hm_platform.storage.taking_turns import taking_turns
with taking_turns(Path(sys.argv[1]), lambda: None):
    print("held", flush=True)
    time.sleep(60)
"""


def nobody_waits() -> None:
    pytest.fail("nobody holds the lock")


def test_nobody_waits_for_a_lock_that_was_given_back(tmp_path: Path) -> None:
    lock = tmp_path / "home" / "build.lock"
    for _ in range(2):
        with pytest.raises(ValueError, match="work"), taking_turns(lock, nobody_waits):
            raise ValueError("work failed")
    with taking_turns(lock, nobody_waits):
        pass


def test_the_second_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    lock, told, done = tmp_path / "lock", threading.Event(), threading.Event()

    def second() -> None:
        with taking_turns(lock, told.set):
            done.set()

    with taking_turns(lock, nobody_waits):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(10)
        assert not done.wait(0.1)
    assert done.wait(10)
    thread.join()


def test_a_holder_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGKILL)
    with taking_turns(lock, nobody_waits):
        pass
