from __future__ import annotations

import threading
import time

from spikeloom.sw.link import pair


def test_bytes_arrive_at_the_other_end() -> None:
    here, there = pair()
    here.write(b"abc")
    here.write(b"d")
    there.write(b"back")
    assert there.read(0) == b"abcd"
    assert there.read(0) == b""
    assert here.read(0) == b"back"
    here.close()


def test_read_waits_for_another_thread_but_not_for_ever() -> None:
    here, there = pair()
    thread = threading.Timer(0.05, there.write, [b"late"])
    thread.start()
    assert here.read(5) == b"late"
    thread.join()
    start = time.monotonic()
    assert here.read(0.02) == b""
    assert time.monotonic() - start < 2
