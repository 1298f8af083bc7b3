"""limelight.Story from outside: its arrays make each other, it says what is wrong with what it is given,
and what it keeps opens again."""

import html
import json
import pathlib
import re
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import numpy as np

import limelight
import safetensors

TEXT = "She struck a match and the lamp gave a warm light"


class Tensors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.story = limelight.Story(TEXT, layer=2, head=1)

    def at(self, name):
        return self.story.tensors[f"layer.2.head.1.{name}"].astype(np.float64)

    def test_what_it_is(self):
        story = self.story
        self.assertEqual((story.text, story.word, story.layer, story.head), (TEXT, "light", 2, 1))
        self.assertEqual("".join(story.tokens), TEXT)
        self.assertEqual(story.tokens[story.token], " light")
        self.assertRegex(story.hash, "^[0-9a-f]{32}$")
        self.assertEqual(story.model["name"], "lantern")
        self.assertIn(story.hash, repr(story))
        self.assertEqual(len(story.next), 5)

    def test_one_head_from_its_matrices(self):
        x = self.story.tensors["layer.2.norm_1"].astype(np.float64)
        query, key, value = (x @ self.at(f"{name}_matrix") + self.at(f"{name}_bias")
                             for name in ("query", "key", "value"))
        np.testing.assert_allclose(query, self.at("query"), atol=1e-5)
        scores = query @ key.T / np.sqrt(query.shape[1])
        scores[np.triu_indices(len(scores), 1)] = -np.inf
        weights = np.exp(scores - scores.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        np.testing.assert_allclose(weights, self.at("weights"), atol=1e-5)
        np.testing.assert_allclose(weights @ value, self.at("context"), atol=1e-5)

    def test_the_operator_gives_the_same_context(self):
        query, key, value = (self.story.tensors[f"layer.2.head.1.{n}"][None, None]
                             for n in ("query", "key", "value"))
        out = limelight.attention(query, key, value, causal="top_left")
        np.testing.assert_allclose(out[0, 0], self.at("context"), atol=1e-6)

    def test_steps(self):
        self.assertEqual([step.number for step in self.story.steps], list(range(1, 13)))
        for step in self.story.steps:
            self.assertTrue(step.question)
            for block in step.blocks:
                if block["kind"] == "tensor":
                    self.assertIn(block["tensor"], self.story.tensors)

    def test_proof(self):
        proof = self.story.proof
        self.assertTrue(proof.holds)
        self.assertGreater(len(proof.invariants), 3)
        worst = proof.tensors["layer.2.head.1.weights"]
        self.assertGreater(worst.largest_difference, 0)
        self.assertLess(worst.relative, 1e-5)

    def test_details(self):
        row = limelight.Story(TEXT, layer=2, head=1, detail="row")
        name = "layer.2.head.1.weights"
        self.assertEqual(row.trace.rows[name], [row.token])
        np.testing.assert_allclose(row.tensors[name][0], self.at("weights")[row.token], atol=1e-6)
        model = limelight.Story(TEXT, layer=2, head=1, detail="model")
        for layer in range(4):
            for head in range(4):
                weights = model.tensors[f"layer.{layer}.head.{head}.weights"]
                np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)

    def test_the_same_hash_for_the_same_run(self):
        again = limelight.Story(TEXT, layer=2, head=1)
        self.assertEqual(again.hash, self.story.hash)
        self.assertNotEqual(limelight.Story(TEXT, layer=2, head=2).hash, self.story.hash)


class Wrong(unittest.TestCase):
    def test_a_bug_is_made_and_found(self):
        right, wrong = (limelight.Story(TEXT, layer=0, head=0, bug=bug) for bug in (None, "no_scale"))
        self.assertIsNone(right.bug)
        self.assertEqual(wrong.bug["name"], "no_scale")
        self.assertFalse(wrong.proof.holds)
        self.assertEqual(len(wrong.steps), 13)
        dots, scores = (wrong.tensors[f"layer.0.head.0.{name}"] for name in ("dots", "scores"))
        np.testing.assert_allclose(scores, dots, atol=1e-5)
        self.assertNotEqual(wrong.hash, right.hash)

    def test_an_unknown_bug(self):
        with self.assertRaisesRegex(limelight.Error, "bug: expected one of .*no_scale.*, got typo"):
            limelight.Story(TEXT, bug="typo")


class Kept(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.story = limelight.Story(TEXT)

    def test_a_trace_opens_again_here_and_anywhere(self):
        path = self.folder / "trace.safetensors"
        self.story.save_trace(path)
        trace = limelight.open_trace(path)
        self.assertEqual(trace.notes["hash"], self.story.hash)
        self.assertEqual(trace.notes["text"], TEXT)
        self.assertEqual(trace.axes, self.story.trace.axes)
        self.assertEqual(trace.recipes, self.story.trace.recipes)
        self.assertEqual(trace.ids, self.story.trace.ids)
        elsewhere = safetensors.load(path)
        self.assertEqual(set(trace.tensors), set(elsewhere))
        for name, array in trace.tensors.items():
            np.testing.assert_array_equal(array, self.story.tensors[name])
            np.testing.assert_array_equal(array, elsewhere[name].reshape(array.shape))

    def test_a_damaged_trace_is_refused(self):
        path = self.folder / "trace.safetensors"
        self.story.save_trace(path)
        path.write_bytes(path.read_bytes()[:-7])
        with self.assertRaisesRegex(limelight.Error, "trace.safetensors"):
            limelight.open_trace(path)
        with self.assertRaisesRegex(limelight.Error, "no.safetensors"):
            limelight.open_trace(self.folder / "no.safetensors")

    def test_json_html_and_svg_name_the_same_run(self):
        self.assertEqual(json.loads(self.story.to_json())["hash"], self.story.hash)
        self.assertIn(self.story.hash, self.story.to_html())
        self.assertEqual(json.loads(self.story.to_notebook())["metadata"]["limelight"]["hash"],
                         self.story.hash)
        for figure in ("matrix", "heads", "arcs"):
            svg = self.story.to_svg(figure)
            ElementTree.fromstring(svg)
            self.assertIn(self.story.hash, svg)

    def test_csv(self):
        self.story.save_csv(self.folder / "tables")
        self.assertIn(self.story.hash, (self.folder / "tables" / "story.csv").read_text())
        with self.assertRaisesRegex(limelight.Error, "holds other files"):
            self.story.save_csv(self.folder)

    def test_a_notebook_cell_shows_the_page(self):
        shown = limelight.Story('A </iframe><script>alert(1)</script> "light"')._repr_html_()
        page = re.fullmatch(r'<iframe sandbox="allow-scripts" [^>]* srcdoc="([^"]*)"></iframe>', shown)
        self.assertIsNotNone(page)
        self.assertNotIn("<", page.group(1))
        self.assertTrue(html.unescape(page.group(1)).lstrip().lower().startswith("<!doctype html>"))


class Mistakes(unittest.TestCase):
    def refused(self, message, *arguments, **keywords):
        with self.assertRaisesRegex(limelight.Error, message):
            limelight.Story(*arguments, **keywords)

    def test_each_names_what_is_wrong(self):
        self.refused("empty", " ")
        self.refused("text: expected a str, got bytes", b"light")
        self.refused("lone surrogate", "light \ud800")
        self.refused("river", "The bag was light", word="river")
        self.refused("layer 4 does not exist", "The bag was light", layer=4)
        self.refused("head -1 does not exist", "The bag was light", head=-1)
        self.refused("context window", "light " * 300)
        self.refused("detail: expected row, head or model, got all", "The bag was light", detail="all")
        self.refused("config.json", "The bag was light", model="/nonexistent")

    def test_of_a_figure(self):
        with self.assertRaisesRegex(limelight.Error, "figure: expected matrix, heads or arcs, got pie"):
            limelight.Story("The bag was light").to_svg("pie")

    def test_other_scripts(self):
        for text in ("السلام 光は 🙂 light", "\U0001f642", "e\u0301 свет"):
            story = limelight.Story(text)
            self.assertEqual(story.text, text)
            self.assertTrue(story.proof.holds)


if __name__ == "__main__":
    unittest.main()
