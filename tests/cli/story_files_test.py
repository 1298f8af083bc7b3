"""What `limelight explain` keeps in files: SVG and CSV. Their digits are the JSON's; hostile texts stay
texts; a folder or file is whole or as it was."""

import csv
import json
import pathlib
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import numpy as np

from program import run

SVG = "{http://www.w3.org/2000/svg}"
STORY = "{urn:limelight:story}"
TEXT = "She struck a match and the lamp gave a warm light"
HOSTILE = '</script><img src=x onerror=alert(1)> "light" & <title>=1+1</title> -2 @x \u202eabc\u2066 \ue000 \t\x07 \ufffe ok'
SCRIPTS = "السلام 光は 🙂🙂 свет light"


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def explain(self, text, *arguments):
        """The story as JSON."""
        done = run("explain", text, "--format", "json", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def refused(self, *arguments):
        done = run("explain", TEXT, *arguments)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, b"")
        self.assertEqual(len(done.stderr.splitlines()), 1)
        return done.stderr.decode()


class Svg(WithFolder):
    def draw(self, text, figure, *arguments):
        path = self.folder / f"{figure}.svg"
        story = self.explain(text, "--svg", str(path), "--figure", figure, *arguments)
        return story, ElementTree.parse(path).getroot()

    def weights(self, story, head):
        return np.array(story["tensors"][f"layer.{story['layer']}.head.{head}.weights"]["values"])

    def test_every_weight_of_the_matrix_is_there(self):
        story, svg = self.draw(TEXT, "matrix")
        weights = self.weights(story, story["head"])
        seen = weights[np.tril_indices(len(weights))]
        titles = [float(t.text.rpartition(": ")[2]) for t in svg.iterfind(f".//{SVG}rect/{SVG}title")]
        np.testing.assert_array_equal(np.float32(titles), np.float32(seen))
        digits = [t.text for t in svg.iter(f"{SVG}text") if t.text and t.get("transform") is None]
        self.assertEqual([d for d in digits if d[:2] in ("0.", "1.")], [f"{w:.2f}" for w in seen])

    def test_every_head_of_the_layer_is_there(self):
        story, svg = self.draw(TEXT, "heads", "--layer", "2", "--head", "1")
        titles = [float(t.text.rpartition(": ")[2]) for t in svg.iterfind(f".//{SVG}rect/{SVG}title")]
        expected = np.concatenate([w[np.tril_indices(len(w))]
                                   for w in (self.weights(story, h) for h in range(4))])
        np.testing.assert_array_equal(np.float32(titles), np.float32(expected))
        headings = " ".join(t.text or "" for t in svg.iter(f"{SVG}text"))
        for head in range(4):
            self.assertIn(f"head {head}: ", headings)

    def test_arcs_are_as_thick_as_their_weights(self):
        story, svg = self.draw(TEXT, "arcs")
        row = self.weights(story, story["head"])[story["word"]["token"]]
        arcs = [p for p in svg.iter(f"{SVG}path") if p.get("stroke") == "#08306b"]
        self.assertEqual(len(arcs), len(row))
        np.testing.assert_allclose([float(a.get("stroke-width")) for a in arcs], 0.5 + 6.5 * row,
                                   atol=0.006)

    def test_it_says_what_it_is(self):
        story, svg = self.draw(TEXT, "matrix", "--layer", "3", "--head", "0")
        self.assertEqual(svg.find(f"{SVG}title").text, "Weights of layer 3, head 0; lantern")
        description = svg.find(f"{SVG}desc").text
        self.assertIn(TEXT, description)
        row = self.weights(story, 0)[story["word"]["token"]]
        largest = int(row.argmax())
        self.assertIn(f"looks most at “{story['tokens'][largest]['text'].strip()}” {row[largest]:.2f}",
                      description)
        kept = svg.find(f"{SVG}metadata/{STORY}story").attrib
        self.assertEqual((kept["hash"], kept["layer"], kept["head"], kept["figure"]),
                         (story["hash"], "3", "0", "matrix"))

    def test_a_run_that_is_wrong_on_purpose_says_so(self):
        path = self.folder / "wrong.svg"
        done = run("explain", TEXT, "--brief", "--bug", "no_scale", "--svg", str(path),
                   "--csv", str(self.folder / "tables"))
        self.assertEqual(done.returncode, 3)
        svg = ElementTree.parse(path).getroot()
        self.assertIn("wrong on purpose: no_scale", svg.find(f"{SVG}text").text)
        self.assertEqual(svg.find(f"{SVG}metadata/{STORY}story").get("bug"), "no_scale")
        self.assertIn("bug,no_scale", (self.folder / "tables" / "story.csv").read_text())

    def test_nothing_but_shapes_and_text(self):
        for figure in ("matrix", "heads", "arcs"):
            for text in (TEXT, HOSTILE, SCRIPTS, "light"):
                with self.subTest(figure=figure, text=text):
                    story, svg = self.draw(text, figure)
                    tags = {element.tag.replace(SVG, "") for element in svg.iter()}
                    self.assertLessEqual(tags, {"svg", "title", "desc", "metadata", f"{STORY}story", "g",
                                                "rect", "path", "text"})
                    for element in svg.iter():
                        self.assertFalse(set(element.attrib) & {"href", "onerror", "onload"})
                    shown = "".join(t.text or "" for t in svg.iter(f"{SVG}text"))
                    for character in "\u202e\u2066\ufffe\x07":
                        self.assertNotIn(character, shown)

    def test_what_cannot_be_written(self):
        self.assertIn("matrix", self.refused("--svg", str(self.folder / "x.svg"), "--figure", "pie"))
        self.assertIn("--svg", self.refused("--figure", "arcs"))
        self.refused("--svg", str(self.folder / "no" / "x.svg"))
        self.refused("--svg", str(self.folder))
        self.assertEqual(list(self.folder.iterdir()), [])


class Csv(WithFolder):
    def read(self, folder, name):
        with open(folder / name, newline="", encoding="utf-8") as file:
            return list(csv.reader(file, strict=True))

    def write(self, text, *arguments):
        folder = self.folder / "tables"
        story = self.explain(text, "--csv", str(folder), *arguments)
        header, *lines = self.read(folder, "tables.csv")
        contents = [dict(zip(header, line)) for line in lines]
        self.assertEqual({p.name for p in folder.iterdir()},
                         {c["file"] for c in contents} | {"story.csv", "tables.csv"})
        self.assertEqual(len({c["file"] for c in contents}), len(contents))
        return story, folder, contents

    def test_every_table_is_there_to_the_last_digit(self):
        story, folder, contents = self.write(TEXT)
        told = [(step, block) for step in story["tellings"][0]["steps"] for block in step["blocks"]
                if block["kind"] in ("tensor", "facts", "path")]
        self.assertEqual(len(told), len(contents))
        for (step, block), entry in zip(told, contents):
            with self.subTest(entry["file"]):
                self.assertEqual((entry["step"], entry["table"], entry["caption"]),
                                 (str(step["number"]), block["id"], block["caption"]))
                header, *lines = self.read(folder, entry["file"])
                self.assertEqual({len(line) for line in lines}, {len(header)})
                if block["kind"] == "tensor":
                    self.check_tensor(story["tensors"], entry["tensor"], header, lines)
                elif block["kind"] == "facts":
                    self.assertEqual(header[1:], block["columns"])
                    self.check_numbers([line[1:] for line in lines],
                                       [row["values"] for row in block["rows"]])
                else:
                    self.check_numbers([line[1:] for line in lines],
                                       [[point["x"], point["y"]] for point in block["points"]])

    def check_tensor(self, tensors, name, header, lines):
        labels = 2 if header[:2] == ["token", "text"] else 1
        if name not in tensors:
            return  # a parameter: JSON leaves it to the model
        tensor = tensors[name]
        self.check_numbers([line[labels:] for line in lines], tensor["values"])
        rows = tensor.get("rows", range(tensor["shape"][0]))
        if labels == 2:
            self.assertEqual([line[0] for line in lines], [str(row) for row in rows])

    def check_numbers(self, found, expected):
        found = np.array(found, dtype=np.float64).astype(np.float32)
        expected = np.array([[-np.inf if x is None else x for x in row] for row in expected], np.float32)
        self.assertEqual(found.shape, expected.shape)
        finite = np.isfinite(found)
        np.testing.assert_array_equal(found[finite], expected[finite])

    def test_lines_end_as_rfc_4180_says(self):
        _, folder, _ = self.write(TEXT)
        for path in folder.iterdir():
            data = path.read_bytes()
            self.assertTrue(data.endswith(b"\r\n"))
            self.assertEqual(data.count(b"\n"), data.count(b"\r\n"))

    def test_story_names_the_run(self):
        story, folder, _ = self.write(TEXT)
        named = dict(self.read(folder, "story.csv"))
        self.assertEqual((named["hash"], named["text"], named["layer"]),
                         (story["hash"], TEXT, str(story["layer"])))

    def test_no_text_is_a_formula(self):
        for text in (HOSTILE, SCRIPTS, "=1+1 light", "@light +1 -1"):
            with self.subTest(text):
                _, folder, contents = self.write(text)
                for entry in contents + [{"file": "story.csv"}]:
                    for line in self.read(folder, entry["file"]):
                        for cell in line:
                            if cell[:1] in ("=", "+", "@", "\t", "\r"):
                                self.fail(f"{entry['file']}: {cell}")
                            if cell[:1] == "-":
                                float(cell)

    def test_a_folder_of_its_own_is_replaced_and_no_other(self):
        story, folder, _ = self.write(TEXT)
        again, _, _ = self.write("The bag was light")
        self.assertNotEqual(story["hash"], again["hash"])
        (folder / "mine.txt").write_text("kept")
        before = sorted(folder.iterdir())
        self.assertIn("holds other files", self.refused("--csv", str(folder)))
        self.assertEqual(sorted(folder.iterdir()), before)
        self.assertEqual((folder / "mine.txt").read_text(), "kept")

    def test_what_cannot_be_written(self):
        (self.folder / "file").write_text("kept")
        self.assertIn("no folder", self.refused("--csv", str(self.folder / "file")))
        self.refused("--csv", str(self.folder / "no" / "tables"))
        (self.folder / "empty").mkdir()
        self.explain(TEXT, "--csv", str(self.folder / "empty") + "/")
        self.assertTrue((self.folder / "empty" / "tables.csv").is_file())
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["empty", "file"])


class Together(WithFolder):
    """A command with several outputs writes all of them or none."""

    OUTPUTS = {"--trace": "run.safetensors", "--svg": "figure.svg", "--csv": "tables", "--notebook": "again.ipynb",
               "--html": "page.html"}

    def paths(self, **changed):
        return {option: str(self.folder / name) for option, name in self.OUTPUTS.items()} | changed

    @staticmethod
    def arguments(paths):
        return [argument for pair in paths.items() for argument in pair]

    def test_all_are_written(self):
        done = run("explain", TEXT, *self.arguments(self.paths()))
        self.assertEqual((done.returncode, done.stdout), (0, b""), done.stderr)
        self.assertEqual({p.name for p in self.folder.iterdir()}, set(self.OUTPUTS.values()))

    def test_one_that_cannot_be_written_leaves_all_as_they_were(self):
        (self.folder / "figure.svg").write_text("kept")
        for option in self.OUTPUTS:
            with self.subTest(option):
                self.refused(*self.arguments(self.paths(**{option: str(self.folder / "no" / "such")})))
                self.assertEqual([p.name for p in self.folder.iterdir()], ["figure.svg"])
                self.assertEqual((self.folder / "figure.svg").read_text(), "kept")

    def test_two_at_one_path_are_refused(self):
        same = str(self.folder / "." / "figure.svg")
        self.assertIn("two outputs", self.refused(*self.arguments(self.paths(**{"--html": same}))))
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
