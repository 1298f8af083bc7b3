"""The lessons in notebooks/, executed: lessons_test.py NAME executes one.

A lesson that was committed with its outputs prints them again, to the character; the others were
committed without. Exercises are run three ways: as committed (nothing yet), answered rightly, and
answered with a usual mistake.
"""

import importlib.util
import pathlib
import sys
import unittest

from notebook_kernel import execute, read_notebook, text_of

from limelight import lesson

NOTEBOOKS = pathlib.Path(__file__).resolve().parents[2] / "notebooks"
NAME = sys.argv.pop(1)


def answered(notebook, answer_of):
    """The notebook with each exercise's function replaced; its last line, the check, stays."""
    for cell in exercise_cells(notebook):
        name = cell.metadata["exercise"]
        cell.source = (f"from limelight import lesson\n"
                       f"my_{name} = {answer_of(lesson.exercises[name])}\n"
                       f"lesson.{name}.check(my_{name})")
    return notebook


def exercise_cells(notebook):
    return [cell for cell in notebook.cells if "exercise" in cell.metadata]


class Lesson(unittest.TestCase):
    def setUp(self):
        self.notebook = read_notebook(NOTEBOOKS / f"{NAME}.ipynb")
        plots = any("matplotlib" in cell.source for cell in self.notebook.cells)
        if plots and importlib.util.find_spec("matplotlib") is None:
            self.skipTest("matplotlib is not installed (script/bootstrap installs it)")

    def test_it_runs_and_prints_what_was_committed(self):
        committed = {cell.id: text_of(cell) for cell in self.notebook.cells if cell.get("outputs")}
        for cell in execute(self.notebook).cells:
            if cell.id in committed:
                self.assertEqual(text_of(cell), committed[cell.id], cell.source)
            elif committed and cell.cell_type == "code":
                self.assertEqual(text_of(cell), "", cell.source)

    def test_what_was_committed_is_text(self):
        for cell in self.notebook.cells:
            for output in cell.get("outputs", []):
                self.assertLessEqual(set(output.get("data", {})), {"text/plain"}, cell.source)

    def check_answers(self, answer_of, expected_of):
        notebook = read_notebook(NOTEBOOKS / f"{NAME}.ipynb")
        for cell in exercise_cells(execute(answered(notebook, answer_of))):
            exercise = lesson.exercises[cell.metadata["exercise"]]
            with self.subTest(exercise.name):
                self.assertEqual(text_of(cell).strip(), expected_of(exercise))

    def test_exercises(self):
        cells = exercise_cells(self.notebook)
        if not cells:
            self.skipTest("it has no exercises")
        for cell in cells:
            name = cell.metadata["exercise"]
            self.assertIn(f"def my_{name}(", cell.source)
            self.assertTrue(cell.source.endswith(f"lesson.{name}.check(my_{name})"), cell.source)
        self.check_answers(lambda e: f"lesson.exercises[{e.name!r}].right",
                           lambda e: f"Right. {e.praise}")
        # That each mistake has its own hint, lesson_test.py checks; here, that hints arrive.
        self.check_answers(lambda e: f"lesson.exercises[{e.name!r}].mistakes[0].computations[0]",
                           lambda e: f"Not yet. {e.mistakes[0].hint}")


if __name__ == "__main__":
    unittest.main()
