"""Ctrl-C in the middle of a call: a real SIGINT to a process that computes."""

import signal
import subprocess
import sys
import textwrap
import time
import unittest

# Hours of work, so that a child that ends by itself was ended by the signal.
CHILD = """
import sys
import numpy as np
import limelight

length, dtype, forward = int(sys.argv[1]), np.dtype(sys.argv[2]), sys.argv[3] == "forward"
query = np.zeros((1, 4, length, 64), dtype)
lse = np.zeros(query.shape[:3], dtype)
print("computing", flush=True)
try:
    if forward:
        limelight.attention(query, query, query)
    else:
        limelight.attention_backward(query, query, query, query, lse, query)
except KeyboardInterrupt:
    few = np.ones((1, 1, 2, 4), np.float32)
    assert (limelight.attention(few, few, few) == 1).all()
    sys.exit(7)
"""

# A handler that raises nothing does not end a call.
HANDLED = """
import signal
import numpy as np
import limelight

came = []
query = np.ones((1, 4, 4096, 64), np.float32)
expected = limelight.attention(query, query, query)
signal.signal(signal.SIGALRM, lambda *_: came.append(1))
while not came:
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    out = limelight.attention(query, query, query)
    assert (out == expected).all()
"""


class Interrupt(unittest.TestCase):
    def interrupted(self, *arguments):
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(CHILD), *map(str, arguments)],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            self.assertEqual(child.stdout.readline(), "computing\n")
            time.sleep(0.5)  # within the call, on any machine
            self.assertIsNone(child.poll())
            child.send_signal(signal.SIGINT)
            _, errors = child.communicate(timeout=300)
        finally:
            child.kill()
        self.assertEqual((child.returncode, errors), (7, ""))

    def test_ends_a_forward(self):
        self.interrupted(1 << 20, "float32", "forward")

    def test_ends_a_backward(self):
        self.interrupted(1 << 18, "float32", "backward")

    def test_ends_what_is_computed_in_float64(self):
        self.interrupted(1 << 16, "float64", "forward")
        self.interrupted(1 << 16, "float64", "backward")

    def test_a_handler_that_raises_nothing_lets_it_go_on(self):
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(HANDLED)], capture_output=True,
                              text=True, timeout=300)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
