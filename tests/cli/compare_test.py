#!/usr/bin/env python3
"""limelight compare, from outside: every number against the same model in NumPy and float64; widths; mistakes."""

import json
import pathlib
import unittest
import xml.etree.ElementTree

import numpy as np

import program
import reference_gpt2

TEXTS = ("The lamp gave a warm light", "The bag was light", "A light wind came from the river")
HOSTILE = '</script><img src=x onerror=f()>&lt;]]> light'
NUMBERS_NEAR = 3e-5


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


class Compare(program.WithModel):
    def compare(self, *arguments, texts=TEXTS, status=0, **options):
        done = program.run("compare", *texts, "--model", str(self.model), *arguments, **options)
        self.assertEqual(done.returncode, status, done.stderr.decode())
        return done

    def compared(self, *arguments, texts=TEXTS):
        return json.loads(self.compare("--word", "light", "--format", "json", *arguments, texts=texts).stdout)

    def runs(self, compared):
        """Of every text: its heads, and the word's vectors from embedding to last layer, in float64."""
        for text in compared["texts"]:
            model = reference_gpt2.Gpt2(self.model)
            heads, _ = model.run([token["id"] for token in text["tokens"]])
            yield text, heads, np.array([stream[text["word"]["token"]] for stream in model.streams])

    def test_vectors_and_cosines_are_float64s(self):
        compared = self.compared()
        self.assertEqual(compared["format"], "limelight-comparison-1")
        self.assertEqual([text["text"] for text in compared["texts"]], list(TEXTS))
        self.assertEqual(compared["depths"], ["embedding", "layer 0", "layer 1"])
        paths = []
        for text, _, path in self.runs(compared):
            np.testing.assert_allclose(text["vectors"], path, atol=NUMBERS_NEAR)
            paths.append(path)
        for depth, cosines in enumerate(compared["cosines"]):
            for i, first in enumerate(paths):
                for j, second in enumerate(paths):
                    self.assertAlmostEqual(cosines[i][j], cosine(first[depth], second[depth]), delta=1e-5)

    def test_the_word_begins_with_one_row_of_the_table(self):
        compared = self.compared()
        table = reference_gpt2.Gpt2(self.model).p["wte.weight"]
        rows = {text["tokens"][text["word"]["token"]]["id"] for text in compared["texts"]}
        self.assertEqual(len(rows), 1)
        for text in compared["texts"]:
            self.assertAlmostEqual(text["token_row_length"], np.linalg.norm(table[rows.copy().pop()]), places=5)

    def test_what_each_word_gave_is_float64s(self):
        for layer in range(2):
            for head in range(2):
                compared = self.compared("--layer", str(layer), "--head", str(head))
                self.assertNotIn("head_chosen_because", compared)
                for text, heads, _ in self.runs(compared):
                    self.check_contributions(text, heads[layer * 2 + head], layer, head)

    def check_contributions(self, text, run, layer, head):
        token = text["word"]["token"]
        size = run["value"].shape[-1]
        output = reference_gpt2.Gpt2(self.model).p[f"h.{layer}.attn.c_proj.weight"][head * size:(head + 1) * size]
        weights = run["weights"][token][:token + 1]
        writes = (weights[:, None] * run["value"][:token + 1]) @ output
        whole = writes.sum(0)
        given = text["contributions"]
        self.assertEqual([each["token"] for each in given], list(range(token + 1)))
        np.testing.assert_allclose([each["weight"] for each in given], weights, atol=NUMBERS_NEAR)
        np.testing.assert_allclose([each["write_length"] for each in given], np.linalg.norm(writes, axis=1),
                                   atol=NUMBERS_NEAR)
        np.testing.assert_allclose([each["share"] for each in given], writes @ whole / (whole @ whole), atol=1e-3)
        self.assertAlmostEqual(text["effective_words"], np.exp(-(weights * np.log(weights)).sum()), places=3)

    def test_the_plane_is_that_of_the_two_principal_axes(self):
        compared = self.compared()
        vectors = np.concatenate([path for _, _, path in self.runs(compared)])
        centred = vectors - vectors.mean(0)
        _, singular, axes = np.linalg.svd(centred, full_matrices=False)
        shares = singular**2 / (singular**2).sum()
        self.assertAlmostEqual(compared["plane"]["x_share"], shares[0], places=4)
        self.assertAlmostEqual(compared["plane"]["y_share"], shares[1], places=4)
        points = np.array([[point["x"], point["y"]] for text in compared["texts"] for point in text["points"]])
        expected = centred @ axes[:2].T
        # The direction in which an axis is drawn is chosen, the axis is not.
        expected *= np.sign((points * expected).sum(0))
        np.testing.assert_allclose(points, expected, atol=1e-3)

    def test_nearest_words_are_nearest(self):
        compared = self.compared()
        table = reference_gpt2.Gpt2(self.model).p["wte.weight"]
        for text, _, path in self.runs(compared):
            for side, vector in (("before", path[0]), ("after", path[-1])):
                cosines = np.sort(table @ vector / np.linalg.norm(table, axis=1) / np.linalg.norm(vector))[::-1]
                given = [near["cosine"] for near in text["nearest"][side]]
                self.assertEqual(given, sorted(given, reverse=True))
                # A row that is no readable word is passed over, so none may be nearer than the rank.
                for found in given:
                    self.assertLess(np.abs(cosines - found).min(), 1e-5)

    def test_the_terminal_shows_the_numbers_of_the_json(self):
        compared = self.compared("--layer", "1", "--head", "0")
        shown = self.compare("--word", "light", "--layer", "1", "--head", "0").stdout.decode()
        for depth in range(3):
            self.assertIn(f"{compared['cosines'][depth][0][1]:.4f}", shown)
        for text in compared["texts"]:
            self.assertIn(text["text"], shown)
            for each in text["contributions"]:
                self.assertIn(f"{each['weight']:.4f}", shown)
        for axis in ("x", "y"):
            self.assertIn(f"{100 * compared['plane'][axis + '_share']:.0f} %", " ".join(shown.split()))
        self.assertIn(compared["hash"], shown)

    def test_lines_fit_every_width(self):
        for width in (40, 50, 80, 120, 200):
            for texts in (TEXTS, TEXTS * 3, ("light " * 9, "光 💡 light")):
                shown = self.compare("--word", "light", texts=texts, environment={"COLUMNS": str(width)}).stdout
                for line in shown.decode().splitlines():
                    self.assertLessEqual(len(line), width, line)
                    self.assertEqual(line, line.rstrip())

    def test_no_colour_in_a_pipe(self):
        self.assertNotIn(b"\x1b", self.compare("--word", "light").stdout)

    def test_the_help_teaches(self):
        shown = program.run("compare", "--help").stdout.decode()
        for part in ("embedding", "cosines", "principal axes", "Examples:", "--html", "--svg", "--format"):
            self.assertIn(part, shown)

    def test_files(self):
        page, figure = self.folder / "compare.html", self.folder / "compare.svg"
        done = self.compare("--word", "light", "--html", str(page), "--svg", str(figure), texts=(HOSTILE, TEXTS[0]))
        self.assertEqual(done.stdout, b"")
        compared = self.compared(texts=(HOSTILE, TEXTS[0]))
        html = page.read_text(encoding="utf-8")
        self.assertNotIn("<img src=x", html)
        self.assertEqual(html.count("</script>"), 2)
        root = xml.etree.ElementTree.parse(figure).getroot()
        self.assertTrue(root.tag.endswith("svg"))
        self.assertIn(HOSTILE, " ".join(root.itertext()))
        for text in (html, figure.read_text(encoding="utf-8")):
            self.assertIn(compared["hash"], text)
            self.assertNotIn("http://", text.replace("http://www.w3.org", ""))

    def test_markup_in_a_text_is_text_on_the_terminal(self):
        shown = self.compare("--word", "light", texts=(HOSTILE, "\x1b[31m light"))
        self.assertIn(b"</script><img", shown.stdout)
        self.assertNotIn(b"\x1b", shown.stdout)

    def mistake(self, *arguments, says):
        done = program.run("compare", *arguments, "--model", str(self.model))
        self.assertEqual(done.returncode, 2, arguments)
        self.assertEqual(done.stdout, b"")
        self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        self.assertNotIn(b"\x1b", done.stderr)
        for part in says:
            self.assertIn(part, done.stderr.decode())

    def test_mistakes_are_one_line_and_name_the_text(self):
        self.mistake(TEXTS[0], "The dark bag", "--word", "light", says=("light", "text 2 (B)"))
        self.mistake("The dark bag", TEXTS[0], "--word", "light", says=("light", "text 1 (A)"))
        self.mistake(TEXTS[0], "--word", "light", says=("2 to 26 texts", "got 1"))
        self.mistake(*["a light"] * 27, "--word", "light", says=("2 to 26 texts", "got 27"))
        self.mistake(TEXTS[0], "light " * 60, "--word", "light", says=("text 2 (B)", "48"))
        self.mistake(TEXTS[0], "", "--word", "light", says=("text 2 (B)", "empty"))
        self.mistake(TEXTS[0], b"\xff light", "--word", "light", says=("text 2 (B)", "UTF-8"))
        self.mistake(TEXTS[0], TEXTS[1], "--layer", "2", says=("layer 2",))
        self.mistake(TEXTS[0], TEXTS[1], "--head", "-1", says=("head -1",))

    def test_a_file_is_written_whole_or_not_at_all(self):
        before = sorted(path.name for path in self.folder.iterdir())
        for option in ("--html", "--svg"):
            for path in (self.folder / "nowhere" / "out", self.folder, pathlib.Path("/proc/nothing")):
                self.mistake(TEXTS[0], TEXTS[1], option, str(path), says=(str(path),))
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), before)


if __name__ == "__main__":
    unittest.main()
