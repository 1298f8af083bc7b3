"""`limelight explain --notebook`: executed, each number is computed again and agrees; with one number
changed, it fails and names the tensor. Texts stay texts."""

import base64
import contextlib
import io
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import numpy as np

from notebook_kernel import CellExecutionError, execute, read_notebook, text_of

PROGRAM = os.environ["LIMELIGHT_PROGRAM"]
TEXT = "She struck a match and the lamp gave a warm light"
HOSTILE = "'''\"\"\" \\ $x$ `code` <img src=x onerror=alert(1)> |a|b| [l](http://x) %magic !ls {0} light"
SCRIPT_END = "</script><img onerror=alert(1)> \"\"\" \\N{x} \\\n# light\n\nlight"
SCRIPTS = "السلام 光は 🙂 e\u0301 свет \u2028 light"


def make(folder, text, *options):
    path = pathlib.Path(folder) / "story.ipynb"
    done = subprocess.run([PROGRAM, "explain", text, "--format", "json", "--notebook", str(path), *options],
                          stdout=subprocess.PIPE, check=True, timeout=300)
    return path, json.loads(done.stdout)


def run_cells(notebook):
    """The notebook in plain Python: what it needs is NumPy alone. Returns its names and its output."""
    names, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        for number, cell in enumerate(c for c in notebook["cells"] if c["cell_type"] == "code"):
            exec(compile(cell["source"], f"cell {number}", "exec"), names)
    return names, printed.getvalue()


class StoryNotebook(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_jupyter_executes_it(self):
        path, story = make(self.folder, TEXT)
        notebook = read_notebook(path)
        self.assertEqual(notebook.metadata["limelight"]["hash"], story["hash"])
        self.executed(notebook)

    def executed(self, notebook):
        last = execute(notebook).cells[-1]
        self.assertRegex(text_of(last), r"^\d\d+ tensors computed again and equal")

    def test_jupyter_takes_no_text_for_its_own(self):
        for text in (HOSTILE, SCRIPT_END):  # IPython reads more into a cell than Python does
            with self.subTest(text):
                self.executed(read_notebook(make(self.folder, text)[0]))

    def test_jupyter_stops_where_a_number_was_changed(self):
        notebook = read_notebook(make(self.folder, TEXT)[0])
        notebook.cells[2].source += "\nt['embedding'][3, 5] += 0.5"
        with self.assertRaisesRegex(CellExecutionError, "embedding, row 3, column 5"):
            execute(notebook)

    def test_every_told_number_is_computed_again(self):
        for text in (TEXT, HOSTILE, SCRIPT_END, SCRIPTS, "light", "the lamp " * 40 + "light"):
            with self.subTest(text):
                path, story = make(self.folder, text)
                names, printed = run_cells(json.loads(path.read_text()))
                told = {block["tensor"] for step in story["tellings"][0]["steps"]
                        for block in step["blocks"] if block["kind"] == "tensor"}
                made = {name for name in told
                        if story["tensors"][name]["recipe"]["operation"] != "given"}
                self.assertLessEqual(made, set(names["agreed"]))
                for name in told:
                    recorded = [[-np.inf if x is None else x for x in row]
                                for row in story["tensors"][name]["values"]]
                    np.testing.assert_array_equal(names["t"][name].astype(np.float32),
                                                  np.float32(recorded))
                self.assertEqual(names["TOKENS"], [token["text"] for token in story["tokens"]])
                self.assertIn("tensors computed again and equal", printed)

    def test_the_steps_are_there_in_order(self):
        path, story = make(self.folder, TEXT)
        headings = re.findall(r"^## (\d+) · (.*)$", "\n".join(
            c["source"] for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "markdown"),
            re.MULTILINE)
        self.assertEqual([(int(number), title) for number, title in headings],
                         [(step["number"], step["title"]) for step in story["tellings"][0]["steps"]])

    def test_one_changed_number_is_found(self):
        path, story = make(self.folder, TEXT)
        whole = path.read_text()
        names, _ = run_cells(json.loads(whole))
        prefix = f"layer.{story['layer']}.head.{story['head']}."
        for name in ("embedding", prefix + "query", prefix + "weights", prefix + "context",
                     prefix + "value_matrix", f"layer.{story['layer']}.attention_out"):
            with self.subTest(name):
                shape, _, data = names["STORED"][name]
                numbers = np.frombuffer(base64.b64decode(data), "<f4").copy()
                place = len(numbers) // 3
                numbers[place] += np.float32(0.01) * np.abs(numbers).max() + 0.02
                changed = base64.b64encode(numbers.tobytes()).decode()
                self.assertEqual(whole.count(data), 1)
                with self.assertRaises(AssertionError) as raised:
                    run_cells(json.loads(whole.replace(data, changed)))
                if name in names["agreed"]:
                    self.assertIn(f"{name}, row {place // shape[1]}, column {place % shape[1]}",
                                  str(raised.exception))

    def test_a_run_that_is_wrong_on_purpose_shows_where(self):
        for bug, wrong in (("no_scale", "scores"), ("mask_after_softmax", "weights"),
                           ("finite_mask", "masked_scores")):
            with self.subTest(bug):
                path = self.folder / "wrong.ipynb"
                subprocess.run([PROGRAM, "explain", TEXT, "--brief", "--bug", bug, "--notebook", str(path)],
                               stdout=subprocess.PIPE, timeout=300, check=False)
                names, printed = run_cells(json.loads(path.read_text()))
                found = {line.partition(",")[0].rpartition(".")[2] for line in names["disagreed"]}
                self.assertEqual(found, {wrong})
                self.assertIn(f"{bug}: ", printed)

    def test_no_text_is_markup(self):
        for text in (HOSTILE, SCRIPT_END):
            path, _ = make(self.folder, text)
            for cell in json.loads(path.read_text())["cells"]:
                if cell["cell_type"] == "markdown":
                    self.assertNotRegex(cell["source"], r"<|\$|(?<!\\)`code|(?<!\\)\[l|\n# light")
                else:
                    self.assertTrue(cell["source"].isascii())

    def test_what_cannot_be_written(self):
        (self.folder / "taken").mkdir()
        for path in (self.folder / "no" / "x.ipynb", self.folder / "taken"):
            with self.subTest(path.name):
                done = subprocess.run([PROGRAM, "explain", TEXT, "--notebook", str(path)],
                                      capture_output=True, timeout=300, check=False)
                self.assertEqual((done.returncode, done.stdout, done.stderr.count(b"\n")), (2, b"", 1))
                self.assertIn(os.fsencode(path), done.stderr)
                self.assertEqual(list(self.folder.rglob("*")), [self.folder / "taken"])


if __name__ == "__main__":
    unittest.main()
