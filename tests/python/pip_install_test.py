"""`pip install .` into a folder of its own, by Debian's pip alone, and the package from there.

usage: pip_install_test.py SOURCE_TREE
"""

import importlib.util
import os
import subprocess
import sys
import tempfile

SKIPPED = 77

USE = """
import numpy, limelight
assert limelight.__file__.startswith({folder!r}), limelight.__file__
query = numpy.ones((1, 2, 3, 4), numpy.float32)
assert (limelight.attention(query, query, query, causal="top_left") == 1).all()
"""


def main():
    missing = [name for name in ("pip", "setuptools", "wheel") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped: this Python has no {', '.join(missing)}")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-deps", "--no-index",
             "--quiet", "--root-user-action=ignore", "--target", folder, sys.argv[1]], check=True)
        subprocess.run([sys.executable, "-c", USE.format(folder=folder)], check=True,
                       cwd=folder, env={**os.environ, "PYTHONPATH": folder})
    return 0


if __name__ == "__main__":
    sys.exit(main())
