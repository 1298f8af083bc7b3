"""The lessons' exercises: a right answer passes, each usual mistake gets its own hint, and whatever
else a reader may hand in is answered in words."""

import unittest

import numpy as np

from limelight import lesson


class Exercises(unittest.TestCase):
    def test_the_right_answer_passes(self):
        for exercise in lesson.exercises.values():
            with self.subTest(exercise.name):
                verdict = exercise.check(exercise.right)
                self.assertTrue(verdict, verdict)
                self.assertEqual(repr(verdict), "Right. " + exercise.praise)

    def test_each_mistake_gets_its_own_hint(self):
        for exercise in lesson.exercises.values():
            hints = [mistake.hint for mistake in exercise.mistakes]
            self.assertEqual(len(set(hints)), len(hints))
            for mistake in exercise.mistakes:
                for wrong in mistake.computations:
                    with self.subTest(f"{exercise.name}: {mistake.name}: {wrong.__name__}"):
                        verdict = exercise.check(wrong)
                        self.assertFalse(verdict)
                        self.assertEqual(verdict.message, mistake.hint)

    def test_an_answer_may_be_a_list_and_may_write_into_its_arguments(self):
        def with_lists(scores):
            scores -= scores.max()
            return [float(x) for x in np.exp(scores) / np.exp(scores).sum()]

        self.assertTrue(lesson.softmax.check(with_lists))

    def test_masking_after_and_renormalising_is_right_as_well(self):
        def after(scores):
            weights = np.exp(scores) * np.tri(len(scores))
            return weights / weights.sum(1, keepdims=True)

        self.assertTrue(lesson.causal_weights.check(after))

    def test_nothing_yet(self):
        def nothing(x, y): ...

        self.assertIn("returns nothing", lesson.dot_product.check(nothing).message)
        self.assertIn("pass the function itself, got float", lesson.dot_product.check(0.9544).message)

    def test_an_exception_is_told(self):
        verdict = lesson.mix.check(lambda weights, vectors: vectors @ weights)
        self.assertFalse(verdict)
        self.assertIn("raised ValueError", verdict.message)

    def test_an_unknown_mistake_says_where_it_shows(self):
        def last_wrong(scores):
            weights = lesson.softmax.right(scores)
            weights[-1] += 0.25
            return weights

        verdict = lesson.softmax.check(last_wrong)
        expected = lesson.softmax.right(lesson.softmax.cases[0][0])[-1]
        self.assertEqual(verdict.message,
                         f"At 5 it should be {expected:.4f}, yours is {expected + 0.25:.4f}.")
        self.assertIn("shape (6,), got shape (1, 6)",
                      lesson.softmax.check(lambda s: lesson.softmax.right(s)[None]).message)
        self.assertIn("got str", lesson.softmax.check(lambda s: "a tenth").message)


class Numbers(unittest.TestCase):
    def test_effective_words(self):
        self.assertAlmostEqual(float(lesson.effective_words([0.25] * 4)), 4)
        self.assertAlmostEqual(float(lesson.effective_words([0, 1, 0])), 1)
        np.testing.assert_allclose(lesson.effective_words([[0.5, 0.5, 0], [0, 0, 1]]), [2, 1])

    def test_terms(self):
        self.assertEqual(lesson.terms([0.55, -2], [0.43, 3]), "0.55 × 0.43 + (-2) × 3 = -5.7635")
        with self.assertRaisesRegex(ValueError, "one length"):
            lesson.terms([1, 2], [1, 2, 3])

    def test_a_matrix_is_laid_out(self):
        self.assertEqual(repr(lesson.matrix([[1, -2], [0.5, 10]], ["a", "long"], ["x", "y"], digits=1)),
                         "         x     y\n"
                         "a      1.0  -2.0\n"
                         "long   0.5  10.0")
        self.assertEqual(repr(lesson.matrix([-0.0, 1], title="t", digits=2)), "t\n  0.00  1.00")
        with self.assertRaisesRegex(ValueError, "2 labels for the columns, got 3"):
            lesson.matrix([[1, 2]], columns=["a", "b", "c"])

    def test_comparing_with_print(self):
        self.assertTrue(lesson.agrees_with_print([0.95444, -1.47445], "0.9544 -1.4744e+00"))
        verdict = lesson.agrees_with_print([0.95444, 1.0], "0.9545 1.")
        self.assertFalse(verdict)
        self.assertIn("0.95444 here, 0.9545 in print", verdict.message)
        self.assertFalse(lesson.agrees_with_print([float("nan")], "0.5"))
        with self.assertRaisesRegex(ValueError, "1 values, 2 printed"):
            lesson.agrees_with_print([1], "1 2")


if __name__ == "__main__":
    unittest.main()
