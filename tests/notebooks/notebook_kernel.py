"""Notebooks executed in this very Python, apart from whatever Jupyter is configured to do."""

import json
import os
import pathlib
import sys
import tempfile
import unittest

try:
    import ipykernel  # noqa: F401  (the kernel; nbclient only talks to it)
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError  # noqa: F401  (raised by execute)
    MISSING = None
except ImportError as error:
    MISSING = error.name
    CellExecutionError = RuntimeError

CELL_SECONDS = 300


def read_notebook(path):
    """The notebook; the test is skipped, by name, where Jupyter's parts are not installed."""
    if MISSING:
        raise unittest.SkipTest(f"{MISSING} is not installed (script/bootstrap installs it)")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def execute(notebook):
    """Executes every cell in a fresh kernel; raises CellExecutionError when one raises."""
    with tempfile.TemporaryDirectory() as folder:
        kernel = pathlib.Path(folder) / "kernels" / "python3" / "kernel.json"
        kernel.parent.mkdir(parents=True)
        kernel.write_text(json.dumps({
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "this Python", "language": "python"}))
        os.environ.update(JUPYTER_PATH=folder, IPYTHONDIR=folder, MPLCONFIGDIR=folder,
                          JUPYTER_RUNTIME_DIR=folder, PYDEVD_DISABLE_FILE_VALIDATION="1")
        return NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3",
                              resources={"metadata": {"path": folder}}).execute()


def text_of(cell):
    """What a code cell printed and showed, as text."""
    parts = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            parts.append(output.text)
        elif "data" in output:
            parts.append(output.data.get("text/plain", "") + "\n")
    return "".join(parts)
