"""The page of a comparison in Chromium: its digits against the JSON of the same run, in every light and on a phone."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from browser import Browser, number

PROGRAM = os.environ["LIMELIGHT_PROGRAM"]
TEXTS = ("The lamp gave a warm light", "The empty bag was light", "He wore a light blue shirt")
HOSTILE = '</script><img src=x onerror="document.title=1"><script>document.title=2</script> light \u2028 <!--'


def compare(*arguments):
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run([PROGRAM, "compare", *arguments, "--word", "light"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=environment, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class ComparePage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls._folder.name)
        cls.page = cls.folder / "compare.html"
        cls.hostile = cls.folder / "hostile.html"
        compare(*TEXTS, "--html", str(cls.page), "--svg", str(cls.folder / "compare.svg"))
        compare(HOSTILE, TEXTS[0], "--html", str(cls.hostile))
        cls.compared = json.loads(compare(*TEXTS, "--format", "json"))
        cls.browser = Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls._folder.cleanup()

    def setUp(self):
        self.browser.prefer()
        self.browser.resize(1440, 1000)
        self.browser.complaints()
        self.browser.requests()

    def tearDown(self):
        self.assertEqual(self.browser.complaints(), [])

    def open(self):
        self.browser.open(self.page)

    def cells(self, table, row="tbody tr"):
        """The text of each cell, row by row, folded away or not."""
        return self.browser.run("return [...arguments[0].querySelectorAll(arguments[1])].map(row => "
                                "[...row.querySelectorAll('td')].map(cell => cell.textContent))", table, row)

    def test_nothing_is_fetched(self):
        self.open()
        self.assertEqual([url for url in self.browser.requests() if not url.startswith(("file:", "about:"))], [])

    def test_every_cosine_is_the_runs(self):
        self.open()
        tables = self.browser.all(".cosines")
        self.assertEqual(len(tables), len(self.compared["depths"]))
        for table, cosines in zip(tables, self.compared["cosines"]):
            for row, values in zip(self.cells(table), cosines):
                self.assertEqual([float(cell) for cell in row], [round(value, 3) for value in values])
            titles = self.browser.run("return [...arguments[0].querySelectorAll('td[title]')].map(td => td.title)", table)
            for title, value in zip(titles, [value for row in cosines for value in row]):
                self.assertAlmostEqual(number(title.split(": ")[1]), value, places=6)

    def test_what_each_word_gave_is_the_runs(self):
        self.open()
        tables = self.browser.all("#looked .facts")
        self.assertEqual(len(tables), len(TEXTS))
        for table, text in zip(tables, self.compared["texts"]):
            for row, given in zip(self.cells(table), text["contributions"], strict=True):
                for cell, name in zip(row, ("weight", "write_length", "share"), strict=True):
                    self.assertAlmostEqual(number(cell), given[name], delta=1e-6 * max(1, abs(given[name])))

    def test_every_point_is_the_runs(self):
        self.open()
        points = [point for text in self.compared["texts"] for point in text["points"]]
        rows = self.cells(self.browser.one("#plane .facts"))
        self.assertEqual(len(rows), len(points))
        for row, point in zip(rows, points):
            self.assertAlmostEqual(number(row[0]), point["x"], places=4)
            self.assertAlmostEqual(number(row[1]), point["y"], places=4)
        self.assertEqual(len(self.browser.all("#plane svg circle")), len(points))

    def test_texts_and_words_are_read_whole(self):
        self.open()
        shown = [" ".join(self.browser.run("return arguments[0].textContent", each).split())
                 for each in self.browser.all(".shaded")]
        self.assertEqual(shown, list(TEXTS))
        self.assertNotIn("[object", self.browser.text("body"))
        for text in self.compared["texts"]:
            for near in text["nearest"]["before"] + text["nearest"]["after"]:
                self.assertIn(near["text"].strip(), self.browser.text("#near"))
        self.assertIn(self.compared["begins"], self.browser.text("#begins"))
        self.assertIn(self.compared["ends"], self.browser.text("#alike"))
        self.assertIn(self.compared["plane"]["x_axis"], self.browser.text("#plane figcaption"))
        self.assertIn(self.compared["hash"], self.browser.text("footer"))

    def test_a_name_shows_its_path_alone(self):
        self.open()
        self.browser.run("arguments[0].focus()", self.browser.all(".plane-names button")[1])
        self.assertEqual(len(self.browser.all("#plane .text-B.dimmed")), 0)
        self.assertGreater(len(self.browser.all("#plane .text-A.dimmed")), 0)
        self.browser.run("document.activeElement.blur()")
        self.assertEqual(self.browser.all("#plane .dimmed"), [])

    def test_light_and_dark(self):
        ink_on_paper = "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
        seen = []
        for scheme in ("light", "dark"):
            self.browser.prefer(scheme)
            self.open()
            seen.append(self.browser.run(ink_on_paper))
        self.assertNotEqual(*seen)
        self.browser.click(self.browser.one(".masthead button"))
        self.assertEqual(self.browser.run(ink_on_paper), seen[0])

    def test_a_phone_shows_all_of_it(self):
        for path in (self.page, self.hostile):
            self.browser.resize(390, 844, is_phone=True)
            self.browser.open(path)
            self.assertEqual(self.browser.run("return document.documentElement.scrollWidth"), 390)
            figure = self.browser.run("return document.querySelector('#plane svg').getBoundingClientRect().right")
            self.assertLessEqual(figure, 390)

    def test_markup_in_a_text_is_text(self):
        self.browser.open(self.hostile)
        self.assertEqual(self.browser.all("img, iframe"), [])
        self.assertEqual(self.browser.run("return document.scripts.length"), 2)
        self.assertNotIn(self.browser.driver.title, ("1", "2"))
        self.assertIn("<img src=x", self.browser.text("#looked"))

    def test_the_figure_opens_by_itself(self):
        self.browser.open(self.folder / "compare.svg")
        self.assertEqual(self.browser.run("return document.documentElement.localName"), "svg")
        outside = self.browser.run("""
            const sheet = document.documentElement.viewBox.baseVal;
            return [...document.querySelectorAll('text')].filter(text => {
              const box = text.getBBox();
              return box.x < 0 || box.y < 0 || box.x + box.width > sheet.width || box.y + box.height > sheet.height;
            }).map(text => text.textContent)""")
        self.assertEqual(outside, [])


if __name__ == "__main__":
    unittest.main()
