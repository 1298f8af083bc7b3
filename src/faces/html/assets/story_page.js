// The page of a story: twelve steps, walked with the arrow keys, all of one run.

import { draw_blocks } from "./blocks.js";
import { CellPanel } from "./cell_panel.js";
import { broken_invariants, bug_banner, colophon, theme_button } from "./chrome.js";
import { announce, element } from "./dom.js";
import { HeadPicker } from "./head_picker.js";
import { Links } from "./links.js";
import { Sentence } from "./sentence.js";
import { TensorStore } from "./tensors.js";

/// A step, or a block of one, that the first telling has word for word stands there alone.
function whole_step(step, first) {
  if (step.as_in_first) return first;
  return { ...step, blocks: step.blocks.map((block, i) => (block.kind === "as_in_first" ? first.blocks[i] : block)) };
}

class StoryPage {
  constructor(story) {
    this.story = story;
    const [first] = story.tellings;
    for (const telling of story.tellings) telling.steps = telling.steps.map((step, i) => whole_step(step, first.steps[i]));
    this.store = new TensorStore(story);
    this.links = new Links(this.store);
    this.token = story.word.token;
    this.telling_index = 0;
    this.step_index = 0;
    this.build();
    this.tell(0);
    this.go_to(this.step_of_address(), { take_focus: false });
    this.sentence.scroll_to_word();
    this.measure_top();
    this.listen();
  }

  get telling() {
    return this.story.tellings[this.telling_index];
  }
  get steps() {
    return this.telling.steps;
  }

  build() {
    this.panel = new CellPanel(this);
    this.sentence = new Sentence(this);
    this.picker = new HeadPicker(this, (index) => this.choose_head(index));
    this.contents = element("ol", { class: "contents" });
    this.progress = element("span", { class: "progress" });
    this.main = element("main", { id: "story" });
    this.back_to_word = element("button", { type: "button", class: "quiet", hidden: true, onclick: () => this.look_at(this.story.word.token) });
    const where = this.story.word.chosen_because ? element("p", { class: "word-reason" }, `\u201c${this.story.word.text}\u201d is followed here: ${this.story.word.chosen_because}.`) : null;
    const header = element(
      "header",
      { class: "top" },
      element("div", { class: "masthead" }, element("span", { class: "name" }, "Limelight"), element("span", { class: "of" }, `a story of one text, told by ${this.story.model.name}`), theme_button(() => this.repaint())),
      element("h1", { class: "unseen" }, `What attention makes of \u201c${this.story.word.text}\u201d in \u201c${this.story.text}\u201d`),
      this.sentence.node,
      element("div", { class: "under-sentence" }, this.sentence.note, this.back_to_word),
    );
    const outline = element(
      "nav",
      { class: "outline", "aria-label": "The twelve steps" },
      element("details", { class: "outline-fold" }, element("summary", {}, this.progress)),
      this.contents,
      element("div", { class: "told-of" }, this.picker.node, where),
      element("p", { class: "keys" }, "\u2190 \u2192 walk the steps. Every number opens: click it, or press Enter."),
    );
    document.getElementById("page").replaceChildren(
      ...[header, broken_invariants(this.story.proof), element("div", { class: "columns" }, outline, this.main), colophon(this.story)].filter(Boolean),
    );
    this.outline = outline;
    this.top = header;
  }

  /// Lays out the steps of a telling, empty: each is drawn when it is first shown.
  tell(index) {
    this.telling_index = index;
    this.links.clear();
    this.links.add(this.sentence);
    this.picker.show(index);
    this.drawn = this.steps.map(() => null);
    this.sections = this.steps.map((step, i) => this.section(step, i));
    this.main.replaceChildren(...this.sections);
    this.contents.replaceChildren(...this.steps.map((step, i) => this.entry(step, i)));
  }

  entry(step, index) {
    const link = element("a", { href: `#${step.id}`, onclick: (event) => (event.preventDefault(), this.go_to(index)) }, element("b", {}, String(step.number)), element("span", {}, step.question));
    return element("li", {}, link);
  }

  section(step, index) {
    const next = this.steps[index + 1];
    const previous = this.steps[index - 1];
    const turn = (to, label, kind) =>
      to ? element("button", { type: "button", class: `turn ${kind}`, onclick: () => this.go_to(index + (kind === "forth" ? 1 : -1)) }, element("small", {}, label), element("span", {}, to.question)) : element("span");
    return element(
      "section",
      { class: "step", id: `step-${step.id}`, "aria-labelledby": `heading-${step.id}`, hidden: true },
      bug_banner(this.story.bug),
      element("p", { class: "step-name" }, element("b", {}, String(step.number)), step.title),
      element("h2", { id: `heading-${step.id}`, tabindex: -1 }, step.question),
      element("div", { class: "blocks" }),
      step.falls_short ? element("p", { class: "falls-short" }, step.falls_short) : null,
      element("div", { class: "turns" }, turn(previous, "\u2190 before", "back"), turn(next, "next \u2192", "forth")),
    );
  }

  draw(index) {
    if (this.drawn[index]) return;
    this.drawn[index] = draw_blocks(this, this.steps[index].blocks, this.sections[index].querySelector(".blocks"));
  }

  lay_out(index) {
    for (const figure of this.drawn[index] ?? []) figure.layout(this.width_for(figure));
  }
  width_for(figure) {
    return Math.floor(figure.node.clientWidth);
  }

  go_to(index, { take_focus = true } = {}) {
    if (index < 0 || index >= this.steps.length) return;
    this.panel.close();
    this.step_index = index;
    this.sections.forEach((section, i) => (section.hidden = i !== index));
    this.draw(index);
    this.lay_out(index);
    this.laid_out_for = this.main.clientWidth;
    const step = this.steps[index];
    [...this.contents.children].forEach((entry, i) => {
      entry.firstChild.toggleAttribute("aria-current", false);
      if (i === index) entry.firstChild.setAttribute("aria-current", "step");
    });
    this.progress.textContent = `${step.number} of ${this.steps.length}: ${step.title}`;
    this.outline.querySelector("details").open = false;
    this.shine(null);
    // In a frame of a notebook the page has no address of its own (about:srcdoc).
    if (location.protocol !== "about:" && location.hash !== `#${step.id}`) {
      history.replaceState(null, "", `#${step.id}`);
    }
    if (!take_focus) return;
    this.sections[index].querySelector("h2").focus({ preventScroll: true });
    window.scrollTo(0, Math.min(window.scrollY, this.top_of_steps()));
    announce(`Step ${step.number} of ${this.steps.length}: ${step.question}`);
  }

  top_of_steps() {
    return Math.max(0, this.main.getBoundingClientRect().top + window.scrollY - 120);
  }

  step_of_address() {
    const wanted = decodeURIComponent(location.hash.slice(1));
    return Math.max(0, this.steps.findIndex((step) => step.id === wanted));
  }

  choose_head(index) {
    const at = this.step_index;
    this.tell(index);
    this.go_to(at, { take_focus: false });
    const { layer, head } = this.telling;
    announce(`Layer ${layer}, head ${head}`);
    this.picker.options?.[index].focus({ preventScroll: true });
  }

  /// Shows another word's row wherever one row is shown; what is written stays about the word.
  look_at(token) {
    this.token = token;
    const own = this.story.word.token;
    this.back_to_word.hidden = token === own;
    this.back_to_word.textContent = `Rows shown are of \u201c${this.store.tokens[token]}\u201d; the text is about \u201c${this.story.word.text}\u201d. Back to it`;
    this.sentence.show_token(token);
    this.panel.close();
    this.lay_out(this.step_index);
    this.shine(null);
  }

  /// The weights that this step is about: of its first table of weights.
  weights_of_step() {
    const block = this.steps[this.step_index].blocks.find((each) => each.kind === "tensor" && each.cells === "weights");
    return block ? this.store.find(block.tensor) : null;
  }

  /// Lays the light of a token's row on the sentence; null for the row that is looked at.
  shine(asking) {
    const tensor = this.weights_of_step();
    const row = tensor ? tensor.row_of(asking ?? this.token) : -1;
    this.sentence.shine(row >= 0 ? tensor : null, row);
  }

  open(reference, grid) {
    this.panel.open(reference, grid);
  }
  opened_from(grid) {
    return this.panel.is_open && this.panel.origin === grid;
  }

  repaint() {
    for (const figures of this.drawn) for (const figure of figures ?? []) figure.paint();
    this.shine(null);
    this.picker.paint();
  }

  listen() {
    document.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("hashchange", () => this.go_to(this.step_of_address()));
    new ResizeObserver(() => this.resized()).observe(this.main);
    window.addEventListener("beforeprint", () => this.print(true));
    window.addEventListener("afterprint", () => this.print(false));
  }

  key(event) {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.key === "Escape") return this.panel.close();
    if (event.target.closest?.("[role=grid], [role=radiogroup], .terms-scroll, .facts-scroll, input, select, textarea")) return;
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.go_to(this.step_index + step);
  }

  resized() {
    if (this.is_printing || this.laid_out_for === this.main.clientWidth) return;
    this.laid_out_for = this.main.clientWidth;
    this.lay_out(this.step_index);
    this.measure_top();
  }

  /// The opened cell begins below the sentence, however long that is.
  measure_top() {
    document.documentElement.style.setProperty("--top-height", `${this.top.offsetHeight}px`);
  }

  /// On paper all steps stand one after the other, in black on white.
  print(starts) {
    this.is_printing = starts;
    document.documentElement.classList.toggle("printing", starts);
    this.sections.forEach((section, i) => (section.hidden = !starts && i !== this.step_index));
    if (starts) {
      this.panel.close();
      this.steps.forEach((_, i) => this.draw(i));
      this.steps.forEach((_, i) => this.lay_out(i));
      this.shine(null);
    } else {
      this.lay_out(this.step_index);
      this.repaint();
    }
  }
}

new StoryPage(JSON.parse(document.getElementById("data").textContent));
