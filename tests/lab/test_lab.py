"""`iotrace lab run host`: the running kernel, without a machine."""

from __future__ import annotations

from support.running import assert_one_line, iotrace


def test_host_is_the_running_kernel_without_a_machine():
    done = iotrace("lab", "run", "host", "--", "list")
    assert (done.returncode, done.stdout, done.stderr) == (0, iotrace("list").stdout, "")
    assert_one_line(iotrace("lab", "run", "host", "--", "run", "nothing"), 2, "nothing")
