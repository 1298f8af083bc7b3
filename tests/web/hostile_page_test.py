"""Pages of hostile and unusual stories: what is text stays text, what is wrong is said, nothing breaks."""

import base64
import pathlib
import struct
import tempfile
import unittest

from browser import Browser, Keys, page_data, with_data
from story_page_test import STEP, TEXT, explain

HOSTILE = ('</script><img src=x onerror="document.title=1"><script>document.title=2</script> {{data}} &lt;b&gt; '
           '"light" \u2028\u2029 ]]> <!-- --!>')
SCRIPTS = {"arabic": "\u0643\u0627\u0646 \u0627\u0644\u0636\u0648\u0621 light \u062f\u0627\u0641\u0626\u0627",
           "chinese": "\u706f\u5149 light \u5f88\u6e29\u6696", "emoji": "\U0001f3ee light \U0001f469\u200d\U0001f680 \U0001f1e9\U0001f1ea",
           "accents": "e\u0301te\u0301 light na\u00efve \ufb01n"}


class HostilePage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls._folder.name)
        cls.browser = Browser()
        cls.honest = cls.write("honest", TEXT)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls._folder.cleanup()

    @classmethod
    def write(cls, name, text, *more):
        path = cls.folder / f"{name}.html"
        done = explain(text, "--html", str(path), *more)
        assert done.returncode == 0, done.stderr.decode()
        return path

    def tearDown(self):
        self.assertEqual(self.browser.complaints(), [])

    def walk(self, path):
        """Every step, and in each the first and the last cell of every grid, opened."""
        self.browser.open(path)
        for _ in range(12):
            for grid in self.browser.all(f"{STEP} [role=grid]"):
                self.browser.run("arguments[0].querySelector('[tabindex=\"0\"]').focus()", grid)
                self.browser.press_with_control(Keys.HOME)
                self.browser.press(Keys.ENTER)
                self.browser.press_with_control(Keys.END)
                self.assertNotEqual(self.browser.text(".opened output"), "")
                self.browser.press(Keys.ESCAPE)
            self.browser.run("arguments[0].focus()", self.browser.one(f"{STEP} h2"))
            self.browser.press(Keys.ARROW_RIGHT)

    def test_markup_in_the_text_is_text(self):
        path = self.write("hostile", HOSTILE, "--word", "light")
        self.walk(path)
        self.assertEqual(page_data(path)["text"], HOSTILE)
        self.assertEqual(self.browser.run("return document.querySelectorAll('img, b.injected, iframe').length"), 0)
        self.assertEqual(self.browser.run("return document.scripts.length"), 2)
        self.assertNotIn(self.browser.driver.title, ("1", "2"))
        self.assertIn("</script><img src=x", self.browser.driver.title)
        self.assertIn("<img src=x onerror=", self.browser.text("footer"))
        self.assertIn("{{data}}", self.browser.text("footer"))

    def test_other_scripts_are_shown_whole(self):
        for name, text in SCRIPTS.items():
            with self.subTest(script=name):
                path = self.write(name, text, "--word", "light")
                self.browser.open(path, "similarity")
                self.assertIn(text, self.browser.text("footer"))
                shown = "".join(self.browser.run("return [...document.querySelectorAll('.token')].map((t) => t.textContent)"))
                for character in text.replace(" ", ""):
                    self.assertIn(character, shown)

    def test_a_text_of_one_token(self):
        self.walk(self.write("one", "light"))

    def test_a_bug_is_announced_on_every_step(self):
        def bug(story):
            story["bug"] = {"name": "no-scale", "title": "<b class=injected>No scale", "text": "Scores were not divided."}
        path = with_data(self.honest, self.folder / "bug.html", bug)
        self.browser.open(path)
        for _ in range(12):
            banner = self.browser.one(f"{STEP} .bug-banner")
            self.assertTrue(banner.is_displayed())
            self.assertIn("<b class=injected>No scale", banner.text)
            self.browser.press(Keys.ARROW_RIGHT)

    def test_an_honest_run_has_no_banner(self):
        self.browser.open(self.honest)
        self.assertEqual(self.browser.all(".bug-banner, .broken, .does-not-hold"), [])

    def test_a_broken_invariant_is_loud(self):
        def broken(story):
            story["proof"]["holds"] = False
            story["proof"]["invariants"][0].update(holds=False, measured="largest |sum - 1| is 0.31")
        self.browser.open(with_data(self.honest, self.folder / "broken.html", broken), "heads")
        alert = self.browser.one("[role=alert]")
        self.assertTrue(alert.is_displayed())
        self.assertIn("does not hold", alert.text)
        self.assertIn("largest |sum - 1| is 0.31", alert.text)
        self.assertIn("5 of 6 invariants hold", self.browser.text("footer"))

    def test_numbers_that_are_none(self):
        def poisoned(story):
            for tensor in story["tensors"].values():
                raw = bytearray(base64.b64decode(tensor["data"]))
                raw[0:4] = struct.pack("<f", float("nan"))
                raw[-4:] = struct.pack("<f", float("inf"))
                tensor["data"] = base64.b64encode(raw).decode()
            for step in story["tellings"][0]["steps"]:
                for block in step["blocks"]:
                    if block["kind"] == "facts":
                        block["rows"][0]["values"][0] = None
        self.walk(with_data(self.honest, self.folder / "poisoned.html", poisoned))

    def test_a_tensor_that_is_not_in_the_file(self):
        def thinner(story):
            name = f"layer.{story['layer']}.head.{story['head']}"
            del story["tensors"][f"{name}.query"], story["tensors"][f"{name}.value_matrix"]
        self.walk(with_data(self.honest, self.folder / "thinner.html", thinner))
        self.browser.open(self.folder / "thinner.html", "query_key")
        self.assertIn("does not hold", self.browser.text(f"{STEP} .absent"))
        self.browser.click(self.browser.all(f"{STEP} figure[data-tensor$='.dots'] [role=gridcell]")[0])
        self.assertIn("which this file does not hold", self.browser.text(".opened .made"))


if __name__ == "__main__":
    unittest.main(verbosity=1)
