// Which head is told, among those that the file holds: each as a small picture of its weights.

import { element } from "./dom.js";
import { palette } from "./palette.js";

const kThumb = 44;

function paint(canvas, tensor) {
  const colors = palette();
  const image = new ImageData(tensor.columns, tensor.rows);
  for (let r = 0; r < tensor.rows; ++r) {
    tensor.row(r).forEach((weight, c) => image.data.set([...colors.color(weight, "weights", 1), 255], 4 * (r * tensor.columns + c)));
  }
  canvas.width = tensor.columns;
  canvas.height = tensor.rows;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

export class HeadPicker {
  /// `choose`: is given the place in story.tellings.
  constructor(page, choose) {
    this.page = page;
    this.choose = choose;
    this.tellings = page.story.tellings;
    this.thumbs = [];
    this.said = element("span");
    this.reason = element("span", { class: "reason" });
    this.node = this.tellings.length > 1 ? this.with_choice() : element("p", { class: "head-picker" }, this.said, this.reason);
  }

  with_choice() {
    this.options = this.tellings.map((telling, index) => this.option(telling, index));
    const layers = [...new Set(this.tellings.map((telling) => telling.layer))].sort((a, b) => a - b);
    const rows = layers.map((layer) => {
      const own = this.tellings.map((telling, index) => ({ telling, index })).filter(({ telling }) => telling.layer === layer);
      own.sort((a, b) => a.telling.head - b.telling.head);
      return element("div", { class: "layer-of-heads", role: "group", "aria-label": `Layer ${layer}` }, element("span", { class: "layer-name" }, `layer ${layer}`), own.map(({ index }) => this.options[index]));
    });
    const grid = element("div", { class: "heads", role: "radiogroup", "aria-label": "Layer and head", onkeydown: (event) => this.key(event) }, rows);
    return element("details", { class: "head-picker", ontoggle: () => this.paint() }, element("summary", {}, this.said, ". ", element("span", { class: "change" }, "choose another")), grid, element("p", {}, `Beneath each: how many words \u201c${this.page.story.word.text}\u201d in effect looks at. `, this.reason));
  }

  option(telling, index) {
    const canvas = element("canvas", { width: kThumb, height: kThumb });
    const tensor = this.page.store.find(`layer.${telling.layer}.head.${telling.head}.weights`);
    this.thumbs.push({ canvas, tensor });
    return element(
      "button",
      { type: "button", role: "radio", class: "head", "aria-checked": "false", tabindex: -1, "aria-label": `Layer ${telling.layer}, head ${telling.head}: ${telling.effective_words.toFixed(2)} effective words`, onclick: () => this.choose(index) },
      canvas,
      element("span", {}, `head ${telling.head}`),
      element("small", {}, telling.effective_words.toFixed(1)),
    );
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const order = [...this.node.querySelectorAll("[role=radio]")];
    const at = order.indexOf(document.activeElement);
    order[(at + step + order.length) % order.length].focus();
  }

  /// Why this head; it stands after the name, or below it where there is a choice.
  sentence_of({ chosen_because: reason }) {
    if (!reason) return "";
    return this.options ? `${reason[0].toUpperCase()}${reason.slice(1)}.` : `: ${reason}.`;
  }

  show(index) {
    const telling = this.tellings[index];
    this.said.textContent = `Told of layer ${telling.layer}, head ${telling.head}`;
    this.reason.textContent = this.sentence_of(telling);
    this.options?.forEach((option, i) => {
      option.setAttribute("aria-checked", String(i === index));
      option.setAttribute("tabindex", i === index ? "0" : "-1");
    });
  }

  paint() {
    if (!this.node.open) return;
    for (const { canvas, tensor } of this.thumbs) if (tensor) paint(canvas, tensor);
  }
}
