#!/usr/bin/env python3
"""limelight explain --bug, from outside: each mistake against the same mistake made in NumPy and float64."""

import json
import unittest

import numpy as np

import program
import reference_gpt2

TEXT = "The lamp gave a warm light and the bag was light"
MATRICES = ("query", "key", "value", "scores", "weights", "context")


def softmax(x, axis):
    x = np.exp(x - x.max(axis, keepdims=True))
    return x / x.sum(axis, keepdims=True)


class SoftmaxOverQueries(reference_gpt2.Gpt2):
    def weights(self, scores, visible):
        return softmax(np.where(visible, scores, -np.inf), -2)


class ScaleByWidth(reference_gpt2.Gpt2):
    def scores(self, query, key):
        return query @ np.swapaxes(key, -1, -2) / np.sqrt(self.config["n_embd"])


class NoScale(reference_gpt2.Gpt2):
    def scores(self, query, key):
        return query @ np.swapaxes(key, -1, -2)


class MaskAfterSoftmax(reference_gpt2.Gpt2):
    def weights(self, scores, visible):
        return softmax(scores, -1) * visible


class MaskAfterSoftmaxRenormalised(MaskAfterSoftmax):
    def weights(self, scores, visible):
        weights = super().weights(scores, visible)
        return weights / weights.sum(-1, keepdims=True)


class FiniteMask(reference_gpt2.Gpt2):
    def weights(self, scores, visible):
        return softmax(np.where(visible, scores, -10), -1)


class HeadsWrongAxis(reference_gpt2.Gpt2):
    def split(self, x):
        return x.reshape(self.config["n_head"], len(x), -1)


class NoPosition(reference_gpt2.Gpt2):
    def embed(self, ids):
        return self.p["wte.weight"][ids]


BUGS = {
    "softmax_over_queries": SoftmaxOverQueries,
    "scale_by_width": ScaleByWidth,
    "no_scale": NoScale,
    "mask_after_softmax": MaskAfterSoftmax,
    "mask_after_softmax_renormalised": MaskAfterSoftmaxRenormalised,
    "finite_mask": FiniteMask,
    "heads_wrong_axis": HeadsWrongAxis,
    "no_position": NoPosition,
}
HARMLESS = "mask_after_softmax_renormalised"


class Bugs(program.WithModel):
    def explain(self, *more, status=0, text=TEXT):
        done = program.run("explain", text, "--model", str(self.model), *more)
        self.assertEqual(done.returncode, status, done.stderr.decode())
        return done.stdout.decode()

    def told(self, bug, *more):
        status = 0 if bug == HARMLESS else 3
        return json.loads(self.explain("--bug", bug, "--format", "json", *more, status=status))

    def facts(self, story, name):
        for block in story["tellings"][0]["steps"][-1]["blocks"]:
            if block.get("id") == name:
                return {row["label"]: row["values"] for row in block["rows"]}
        self.fail(name)

    def test_every_number_is_that_of_the_same_mistake(self):
        for bug, reference in BUGS.items():
            for layer in range(2):
                for head in range(2):
                    with self.subTest(bug=bug, layer=layer, head=head):
                        told = self.told(bug, "--layer", str(layer), "--head", str(head))
                        ids = [token["id"] for token in told["tokens"]]
                        heads, logits = reference(self.model).run(ids)
                        for name in MATRICES:
                            np.testing.assert_allclose(np.array(told[name]),
                                                       heads[layer * 2 + head][name], atol=3e-5,
                                                       err_msg=name)
                        probabilities = softmax(logits, -1)
                        for guess in told["next"]:
                            self.assertAlmostEqual(guess["probability"],
                                                   probabilities[guess["id"]], places=5)

    def test_the_last_step_sets_right_beside_wrong(self):
        for bug, reference in BUGS.items():
            with self.subTest(bug=bug):
                told = self.told(bug, "--layer", "1", "--head", "0")
                ids = [token["id"] for token in told["tokens"]]
                right, right_logits = reference_gpt2.Gpt2(self.model).run(ids)
                wrong, wrong_logits = reference(self.model).run(ids)
                rows = list(self.facts(told, "wrong_row").values())
                token = told["word"]["token"]
                np.testing.assert_allclose([row[0] for row in rows], right[2]["weights"][token],
                                           atol=1e-5)
                np.testing.assert_allclose([row[1] for row in rows], wrong[2]["weights"][token],
                                           atol=1e-5)
                guesses = self.facts(told, "wrong_guesses")
                both = np.array([softmax(right_logits, -1), softmax(wrong_logits, -1)])
                for label, found in guesses.items():
                    near = np.abs(both - np.array(found)[:, None]).max(0)
                    self.assertLess(near.min(), 1e-5, label)

    def test_json_says_which(self):
        for bug in BUGS:
            told = self.told(bug)
            self.assertEqual(told["bug"]["name"], bug)
            for key in ("title", "text", "wrong", "right", "recognise"):
                self.assertTrue(told["bug"][key])
            self.assertEqual(len(told["tellings"][0]["steps"]), 13)
        self.assertNotIn("bug", json.loads(self.explain("--format", "json")))

    def test_the_harmless_one_says_that_nothing_breaks(self):
        self.assertIn("Nothing breaks", self.explain("--bug", HARMLESS, "--step", "13"))
        for bug in BUGS:
            if bug != HARMLESS:
                self.assertIn("It breaks", self.explain("--bug", bug, "--step", "13", status=3))

    def test_every_text_and_way_of_telling(self):
        for bug in BUGS:
            for text in ("x", "光 💡", "the the the", "light " * 40):
                for more in (("--brief",), ("--all",)):
                    with self.subTest(bug=bug, text=text, more=more):
                        done = program.run("explain", text, "--model", str(self.model), "--bug", bug,
                                           *more)
                        self.assertIn(done.returncode, (0, 3), done.stderr)
                        self.assertIn(b"wrong on purpose", done.stdout)

    def test_lines_fit_the_width(self):
        for width in (60, 80, 120):
            done = program.run("explain", TEXT, "--model", str(self.model), "--bug", "finite_mask",
                               environment={"COLUMNS": str(width)})
            for line in done.stdout.decode().splitlines():
                self.assertLessEqual(len(line), width, line)

    def test_mistakes_are_one_line(self):
        for more, named in ((("--bug", "softmax"), b"no_position"), (("--bug", ""), b"no_position"),
                            (("--bug", "\x1b[31m"), b"no_position"), (("--step", "13"), b"--bug"),
                            (("--bug", "no_scale", "--step", "14"), b"13")):
            done = program.run("explain", TEXT, "--model", str(self.model), *more)
            self.assertEqual(done.returncode, 2, more)
            self.assertEqual(done.stdout, b"")
            self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
            self.assertIn(named, done.stderr)
            self.assertNotIn(b"\x1b", done.stderr)


if __name__ == "__main__":
    unittest.main()
