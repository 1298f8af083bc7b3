"""The page of a story, walked, opened and read in Chromium; its digits against the run's own trace."""

import base64
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy

from browser import Browser, Keys, number, page_data, read_trace

PROGRAM = os.environ["LIMELIGHT_PROGRAM"]
TEXT = "She struck a match and the lamp gave a warm light"
TEXT_OF_24 = ("The suitcase was empty, so it was light, and she carried it up to the attic where the old lamp "
              "stood alone")
MEBIBYTE = 1 << 20
NEAR = 2e-5  # of the largest term: how far float32 sums may be from float64's

STEP = "section.step:not([hidden])"


def explain(*arguments):
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    return subprocess.run([PROGRAM, "explain", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment, check=False, timeout=300)


class StoryPage(unittest.TestCase):
    """One page of a text of 11 tokens, its trace, and one browser for all tests."""

    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls._folder.name)
        cls.page = cls.folder / "light.html"
        done = explain(TEXT, "--html", str(cls.page), "--trace", str(cls.folder / "light.safetensors"))
        assert done.returncode == 0, done.stderr.decode()
        cls.trace = read_trace(cls.folder / "light.safetensors")
        cls.story = page_data(cls.page)
        cls.word = cls.story["word"]["token"]
        cls.browser = Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls._folder.cleanup()

    def setUp(self):
        self.browser.prefer()
        self.browser.resize(1440, 1000)
        self.browser.complaints()

    def tearDown(self):
        self.assertEqual(self.browser.complaints(), [])

    # What the tests ask of the page.

    def open(self, step):
        self.browser.open(self.page, step)

    def head(self, name):
        return f"layer.{self.story['layer']}.head.{self.story['head']}.{name}"

    def figure(self, tensor):
        """The figure of a tensor in the step that is shown, as a selector."""
        return f'{STEP} figure[data-tensor="{tensor}"]'

    def show_all_rows(self, tensor):
        for button in self.browser.all(f"{self.figure(tensor)} figcaption button"):
            if button.text == "all rows":
                self.browser.click(button)

    def cell(self, tensor, row, column):
        """The cell's element; where the grid is a window, it is moved there by its own keys."""
        grid = f"{self.figure(tensor)} [role=grid]"
        if self.browser.all(f"{self.figure(tensor)} .share-list"):
            return self.browser.one(f'{grid} tr[aria-rowindex="{column + 1}"] [role=gridcell]')
        place = f'{grid} tr[aria-rowindex="{row + 2}"] [role=gridcell][aria-colindex="{column + 2}"]'
        if not self.browser.all(place):
            self.walk_to(grid, row, column)
        return self.browser.one(place)

    def walk_to(self, grid, row, column):
        self.browser.run("arguments[0].focus()", self.browser.one(f'{grid} [tabindex="0"]'))
        self.browser.press_with_control(Keys.HOME)
        for _ in range(row):
            self.browser.press(Keys.ARROW_DOWN)
        for _ in range(column):
            self.browser.press(Keys.ARROW_RIGHT)

    def opened(self):
        """The number and the terms of the opened cell: [(label, factors, product or None)]."""
        value = number(self.browser.text(".opened output"))
        terms = self.browser.run("""
            return [...document.querySelectorAll(".opened .terms tbody tr")].map((row) => [
              row.querySelector("th").textContent,
              [...row.querySelectorAll("td:not(.product)")].filter((cell) => cell.textContent).map((cell) => {
                const { tensor, row, column } = cell.querySelector("button")?.dataset ?? {};
                return [cell.textContent, tensor ?? null, Number(row), Number(column)];
              }),
              row.querySelector(".product span")?.textContent ?? null,
            ])""")
        return value, terms

    def check_opened(self, tensor, row, column):
        """The opened cell is the trace's, to the bit, and so is every factor; returns the terms."""
        value, terms = self.opened()
        self.assert_same(value, self.trace[tensor][row, column])
        for _, factors, product in terms:
            numbers = []
            for text, source, at_row, at_column in factors:
                numbers.append(number(text))
                if source:  # what is shown is the float32 that those digits read back to
                    numbers[-1] = float(numpy.float32(numbers[-1]))
                    self.assert_same(numbers[-1], self.trace[source][at_row, at_column])
            if product is not None and len(numbers) == 2:
                self.assertEqual(number(product), numbers[0] * numbers[1])
        return terms

    def assert_same(self, shown, engine):
        self.assertEqual(numpy.float32(shown).tobytes(), numpy.float32(engine).tobytes(), f"{shown} for {engine}")

    def assert_sums_to(self, terms, value):
        parts = [number(product) if product is not None else number(factors[0][0]) for _, factors, product in terms]
        self.assertAlmostEqual(sum(parts), value, delta=NEAR * max(map(abs, parts)))

    # The file.

    def test_opens_alone(self):
        self.browser.requests()
        self.open("words")
        for _ in range(11):
            self.browser.press(Keys.ARROW_RIGHT)
        addresses = [url for url in self.browser.requests() if url != "about:blank"]
        self.assertTrue(addresses)
        for url in addresses:
            self.assertTrue(url.startswith(self.page.as_uri()), url)

    def test_says_what_it_is(self):
        self.open("words")
        self.assertIn(TEXT, self.browser.driver.title)
        self.assertIn(self.story["hash"][:8], self.browser.driver.title)
        below = self.browser.text("footer")
        for part in (self.story["hash"], "lantern", TEXT, "All 6 invariants hold", "every row of weights sums to 1"):
            self.assertIn(part, below)

    def test_policy_forbids_the_network(self):
        self.open("words")
        refused = self.browser.run("""
            return new Promise((resolve) => {
              document.addEventListener("securitypolicyviolation", (event) => resolve(event.violatedDirective));
              fetch("http://127.0.0.1:9/").catch(() => {});
              setTimeout(() => resolve("nothing"), 3000);
            })""")
        self.assertEqual(refused, "connect-src")
        self.browser.complaints()

    def test_sizes(self):
        for text, limit, name in ((TEXT_OF_24, 2 * MEBIBYTE, "24"), (self.long_text(), 8 * MEBIBYTE, "long")):
            path = self.folder / f"{name}.html"
            self.assertEqual(explain(text, "--html", str(path)).returncode, 0)
            self.assertLess(path.stat().st_size, limit)
        self.assertEqual(len(page_data(self.folder / "24.html")["tokens"]), 24)
        self.assertEqual(len(page_data(self.folder / "long.html")["tokens"]), 253)

    @staticmethod
    def long_text():
        return "The lamp gave a warm light and she was glad of it. " * 18

    def test_a_path_that_cannot_be_written_is_one_line(self):
        done = explain(TEXT, "--html", str(self.folder / "nowhere" / "light.html"))
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.decode().splitlines()), 1, done.stderr)
        self.assertEqual(done.stdout, b"")

    # The steps.

    def test_arrow_keys_walk_all_steps_and_stop_at_the_ends(self):
        self.open("words")
        steps = self.story["tellings"][0]["steps"]
        self.assertEqual(len(steps), 12)
        self.browser.press(Keys.ARROW_LEFT)
        for step in steps:
            self.assertEqual(self.browser.text(f"{STEP} h2"), step["question"])
            self.assertEqual(self.browser.run("return location.hash"), f"#{step['id']}")
            for block in step["blocks"]:
                if block["kind"] == "prose":
                    self.assertIn(block["text"], self.browser.text(STEP))
            self.assertEqual(len(self.browser.all(f"{STEP} .absent")), 0)
            self.browser.press(Keys.ARROW_RIGHT)
        self.assertEqual(self.browser.text(f"{STEP} h2"), steps[-1]["question"])
        self.browser.press(Keys.ARROW_LEFT)
        self.assertEqual(self.browser.text(f"{STEP} h2"), steps[-2]["question"])
        self.assertEqual(self.browser.run("return document.activeElement.tagName"), "H2")
        self.assertIn("Step 11 of 12", self.browser.run(
            "return new Promise((done) => setTimeout(() => done(document.getElementById('announcements').textContent), 100))"))

    def test_contents_lead_to_a_step(self):
        self.open("words")
        self.browser.click(self.browser.all(".contents a")[7])
        self.assertEqual(self.browser.run("return location.hash"), "#mask")
        self.assertEqual(self.browser.one(".contents a[aria-current=step]").text.split()[0], "8")

    # The cells.

    def test_cells_of_every_kind_open_by_mouse(self):
        layer = f"layer.{self.story['layer']}"
        summed = [("similarity", "embedding.dots", self.word, 3, 192), ("words", "embedding", self.word, 2, 2),
                  ("mixing", "embedding.mix", self.word, 4, len(self.story["tokens"])),
                  ("query_key", self.head("query"), self.word, 1, 193), ("query_key", self.head("dots"), 6, 3, 48),
                  ("scale", self.head("scores"), self.word, 2, 1), ("value", self.head("context"), self.word, 5, 11),
                  ("heads", f"{layer}.context", self.word, 0, 1), ("heads", self.head("write"), self.word, 3, 48),
                  ("heads", f"{layer}.attention_out", self.word, 2, 193), ("change", f"{layer}.stream_mid", self.word, 1, 2)]
        for step, tensor, row, column, count in summed:
            with self.subTest(tensor=tensor):
                self.open(step)
                self.browser.click(self.cell(tensor, row if len(self.browser.all(f"{self.figure(tensor)} tbody tr")) > 1 else 0, column))
                terms = self.check_opened(tensor, row, column)
                self.assertEqual(len(terms), count)
                self.assert_sums_to(terms, self.trace[tensor][row, column])

    def test_a_softmax_opens_into_its_row(self):
        self.open("mask")
        name = self.head("weights")
        self.browser.click(self.cell(name, 7, 3))
        terms = self.check_opened(name, 7, 3)
        scores = self.trace[self.head("masked_scores")][7].astype(numpy.float64)
        parts = [number(product) for _, _, product in terms]
        numpy.testing.assert_allclose(parts, numpy.exp(scores - scores.max()), rtol=1e-14)
        self.assertAlmostEqual(parts[3] / sum(parts), self.trace[name][7, 3], delta=1e-6)
        self.assertEqual(parts[8:], [0.0] * 3)

    def test_masked_cells_say_so(self):
        self.open("mask")
        weight = self.cell(self.head("weights"), 3, 9)
        self.assertEqual(weight.text, "")
        self.assertEqual(weight.get_attribute("aria-label"), "masked: 0")
        self.assertEqual(self.cell(self.head("masked_scores"), 3, 9).text, "\u2212\u221e")
        self.browser.click(self.cell(self.head("masked_scores"), 3, 9))
        value, _ = self.opened()
        self.assertEqual(value, -numpy.inf)
        self.assertIn("hidden", self.browser.text(".opened .made"))

    def test_a_norm_opens_into_mean_and_variance(self):
        self.open("query_key")
        name = f"layer.{self.story['layer']}.norm_1"
        self.browser.click(self.cell(name, 0, 3))
        self.check_opened(name, self.word, 3)
        parts = {label: number(factors[0][0]) for label, factors, _ in self.opened()[1]}
        row = self.trace[f"layer.{self.story['layer']}.stream_in"][self.word].astype(numpy.float64)
        self.assertAlmostEqual(parts["mean of its 192 numbers"], row.mean(), places=12)
        self.assertAlmostEqual(parts["their variance"], row.var(), places=11)

    def test_factors_lead_down_to_the_models_tables(self):
        self.open("query_key")
        self.browser.click(self.cell(self.head("dots"), 6, 3))
        way = [self.head("query"), f"layer.{self.story['layer']}.norm_1", f"layer.{self.story['layer']}.stream_in"]
        for tensor in way:
            self.browser.click(self.browser.all(".opened .factor")[0])
            self.assertEqual(self.browser.one(".opened").get_attribute("data-tensor"), tensor)
            self.check_opened(tensor, 6, 0)
        self.browser.click(self.browser.all(".opened .trail button")[0])
        self.check_opened(self.head("dots"), 6, 3)

    def test_terms_can_be_sorted_by_size(self):
        self.open("similarity")
        self.browser.click(self.cell("embedding.dots", 0, 3))
        self.browser.click(self.browser.all(".opened .order button")[1])
        sizes = [abs(number(product)) for _, _, product in self.opened()[1]]
        self.assertEqual(len(sizes), 192)
        self.assertEqual(sizes, sorted(sizes, reverse=True))

    def test_cells_open_by_keyboard_and_the_panel_follows(self):
        self.open("mask")
        name = self.head("weights")
        self.walk_to(f"{self.figure(name)} [role=grid]", 4, 1)
        self.browser.press(Keys.ENTER)
        self.check_opened(name, 4, 1)
        self.browser.press(Keys.ARROW_RIGHT)
        self.check_opened(name, 4, 2)
        self.browser.press(Keys.ARROW_DOWN)
        self.check_opened(name, 5, 2)
        self.browser.press(Keys.TAB)
        self.assertTrue(self.browser.run("return document.activeElement.closest('.opened') !== null"))
        self.browser.press(Keys.ESCAPE)
        self.assertFalse(self.browser.one(".opened").is_displayed() if self.browser.all(".opened") else False)
        self.assertEqual(self.browser.run("return document.activeElement.getAttribute('aria-colindex')"), "4")
        self.assertEqual(self.browser.run("return location.hash"), "#mask")

    def test_one_cell_of_a_grid_is_in_the_order_of_tab(self):
        self.open("mask")
        for grid in self.browser.all(f"{STEP} [role=grid]"):
            self.assertEqual(len(grid.find_elements("css selector", '[tabindex="0"]')), 1)

    def test_every_digit_of_a_grid(self):
        for step, name in (("mask", "masked_scores"), ("mask", "weights"), ("query_key", "dots")):
            tensor = self.trace[self.head(name)]
            self.open(step)
            cells = self.browser.run("""
                return [...document.querySelectorAll(arguments[0] + " [role=gridcell]")].map((cell) => [
                  cell.parentNode.getAttribute("aria-rowindex") - 2, cell.getAttribute("aria-colindex") - 2,
                  cell.textContent, cell.getAttribute("aria-label")])""", self.figure(self.head(name)))
            self.assertEqual(len(cells), tensor.size)
            for row, column, short, exact in cells:
                value = tensor[row, column]
                self.assert_same(number(exact), value)
                if short and numpy.isfinite(value):
                    decimals = len(short.partition(".")[2]) if "e" not in short else 4
                    self.assertAlmostEqual(number(short), float(value), delta=0.501 * 10.0 ** -decimals)

    def test_every_cell_of_a_long_text_can_be_reached(self):
        path = self.folder / "reach.html"
        self.assertEqual(explain(self.long_text(), "--html", str(path), "--trace", str(self.folder / "reach.st")).returncode, 0)
        story, trace = page_data(path), read_trace(self.folder / "reach.st")
        name = f"layer.{story['layer']}.head.{story['head']}.weights"
        self.browser.open(path, "mask")
        grid = f"{self.figure(name)} [role=grid]"
        self.assertEqual(self.browser.one(grid).get_attribute("aria-rowcount"), "254")
        self.walk_to(grid, 0, 0)
        self.browser.press(Keys.ENTER)
        self.assert_same(self.opened()[0], trace[name][0, 0])
        self.browser.press_with_control(Keys.END)
        self.assert_same(self.opened()[0], trace[name][252, 252])
        self.browser.press(Keys.PAGE_UP, Keys.HOME)
        cell = self.browser.run("const d = document.querySelector('.opened').dataset; return [Number(d.row), Number(d.column)]")
        self.assertEqual(cell[1], 0)
        self.assert_same(self.opened()[0], trace[name][cell[0], 0])
        field = self.browser.one(f"{self.figure(name)} .field")
        self.browser.click(field)  # the middle of the map
        self.assertEqual(self.browser.one(".opened").get_attribute("data-row"), "126")
        self.assertEqual(self.browser.one(".opened").get_attribute("data-column"), "126")
        self.assert_same(self.opened()[0], trace[name][126, 126])

    # What belongs together.

    def test_hovering_a_score_lights_its_query_and_its_key(self):
        self.open("query_key")
        for name in ("query", "key"):
            self.show_all_rows(self.head(name))
        self.browser.hover(self.cell(self.head("dots"), 6, 3))
        lit = lambda name: self.browser.run(
            "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].filter((row) => row.querySelector('th.lit'))"
            ".map((row) => row.getAttribute('aria-rowindex') - 2)", self.figure(self.head(name)))
        self.assertEqual((lit("query"), lit("key")), ([6], [3]))
        words = [self.browser.one(f".token.{role}").get_attribute("data-token") for role in ("asking", "asked")]
        self.assertEqual(words, ["6", "3"])

    def test_hovering_shows_all_digits(self):
        self.open("mask")
        self.browser.hover(self.cell(self.head("weights"), 7, 3))
        shown = self.browser.text(f"{self.figure(self.head('weights'))} .readout b")
        self.assert_same(number(shown), self.trace[self.head("weights")][7, 3])

    def test_another_words_row_can_be_looked_at(self):
        self.open("similarity")
        self.browser.click(self.browser.all(".token")[3])
        self.assertIn("token 3", self.browser.text(f"{self.figure('embedding.dots')} .whose"))
        self.browser.click(self.cell("embedding.dots", 0, 6))
        self.check_opened("embedding.dots", 3, 6)

    def test_heads_can_be_chosen(self):
        self.open("mask")
        self.browser.click(self.browser.one(".head-picker summary"))
        options = self.browser.all(".head-picker [role=radio]")
        self.assertEqual(len(options), 16)
        self.browser.click(next(option for option in options if option.get_attribute("aria-label").startswith("Layer 1, head 2")))
        name = "layer.1.head.2.weights"
        self.browser.click(self.cell(name, 7, 3))
        value, _ = self.opened()
        entry = self.story["tensors"][name]
        engine = numpy.frombuffer(base64.b64decode(entry["data"]), numpy.float32).reshape(entry["shape"])
        self.assert_same(value, engine[7, 3])
        self.assertEqual(self.browser.run("return location.hash"), "#mask")

    def test_another_heads_numbers_are_that_heads(self):
        page, trace = self.folder / "asked.html", self.folder / "asked.st"
        self.assertEqual(explain(TEXT, "--layer", "1", "--head", "2", "--html", str(page), "--trace", str(trace)).returncode, 0)
        asked, chosen = read_trace(trace), page_data(self.page)["tensors"]["layer.1.head.2.weights"]
        data = numpy.frombuffer(base64.b64decode(chosen["data"]), numpy.float32)
        numpy.testing.assert_array_equal(data.reshape(11, 11), asked["layer.1.head.2.weights"])

    # Light, dark, narrow, paper.

    def background(self):
        color = self.browser.run("return getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in color[4:-1].split(","))

    def test_dark_follows_the_system_and_the_button(self):
        self.browser.prefer("dark")
        self.open("mask")
        self.assertLess(self.background(), 200)
        cell = self.cell(self.head("weights"), self.word, 0)
        in_dark = cell.value_of_css_property("background-color")
        self.browser.click(self.browser.one(".theme"))
        self.assertGreater(self.background(), 600)
        self.assertNotEqual(cell.value_of_css_property("background-color"), in_dark)
        self.browser.prefer("light")
        self.open("mask")
        self.assertGreater(self.background(), 600)
        self.browser.click(self.browser.one(".theme"))
        self.assertLess(self.background(), 200)

    def test_digits_can_be_read_on_their_colours(self):
        contrast = """
            const linear = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
            const light = (text) => { const [r, g, b] = text.match(/\\d+/g).map(Number); return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b); };
            return Math.min(...[...document.querySelectorAll("[role=gridcell]")].filter((cell) => cell.style.color && cell.textContent).map((cell) => {
              const style = getComputedStyle(cell), [a, b] = [light(style.color), light(style.backgroundColor)];
              return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); }))"""
        for scheme in ("light", "dark"):
            self.browser.prefer(scheme)
            for step in ("query_key", "mask", "heads"):
                self.open(step)
                self.assertGreaterEqual(self.browser.run(contrast), 4.5, f"{scheme}, {step}")

    def test_a_phone_needs_no_sideways_scrolling(self):
        self.browser.resize(390, 844, is_phone=True)
        self.open("words")
        for step in self.story["tellings"][0]["steps"]:
            wide, screen = self.browser.run("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            self.assertLessEqual(wide, screen, step["id"])
            self.assertEqual(screen, 390)
            self.browser.press(Keys.ARROW_RIGHT)
        self.open("mask")
        self.browser.click(self.cell(self.head("weights"), self.word, self.word))
        self.check_opened(self.head("weights"), self.word, self.word)
        box = self.browser.run("const b = document.querySelector('.opened').getBoundingClientRect(); return [b.left, b.right, b.bottom]")
        self.assertEqual(box, [0, 390, 844])

    def test_paper_has_all_steps_and_no_controls(self):
        self.open("mask")
        self.browser.prefer(medium="print")
        self.browser.run("dispatchEvent(new Event('beforeprint'))")
        self.assertEqual(sum(section.is_displayed() for section in self.browser.all("section.step")), 12)
        for selector in ("button:not(.token)", ".outline", ".turns", ".opened"):
            self.assertFalse(any(each.is_displayed() for each in self.browser.all(selector)), selector)
        self.assertTrue(all(figure.size["height"] > 40 for figure in self.browser.all("figure")))
        self.browser.run("dispatchEvent(new Event('afterprint'))")
        self.browser.prefer()
        self.assertEqual(sum(section.is_displayed() for section in self.browser.all("section.step")), 1)
        pdf = base64.b64decode(self.browser.command("Page.printToPDF")["data"])
        self.assertGreater(pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page "), 8)

    # For those who do not see it.

    def test_everything_has_a_name(self):
        self.open("query_key")
        nameless = self.browser.run("""
            return [...document.querySelectorAll("button, [role=grid], [role=gridcell], [role=radio], [role=region], nav, aside, svg[role=img]")]
              .filter((each) => !each.hidden && !(each.getAttribute("aria-label") || each.textContent.trim())).map((each) => each.outerHTML)""")
        self.assertEqual(nameless, [])
        levels = self.browser.run("return [...document.querySelectorAll('h1, section:not([hidden]) h2')].map((h) => h.tagName)")
        self.assertEqual(levels, ["H1", "H2"])


if __name__ == "__main__":
    unittest.main(verbosity=1)
