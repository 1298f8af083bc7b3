// The sentence, always in sight: how much light falls on each word in the row that is looked at.

import { center_within, element, isolated } from "./dom.js";
import { digits_of_float } from "./numbers.js";
import { css, palette } from "./palette.js";
import { readable_pieces } from "./tensors.js";

export class Sentence {
  constructor(page) {
    this.page = page;
    const { story } = page;
    const pieces = readable_pieces(story.tokens);
    this.words = story.tokens.map((token, index) => this.word(token, index, pieces[index]));
    this.node = element("p", { class: "sentence", dir: "auto", "aria-label": story.text }, this.words);
    this.note = element("p", { class: "sentence-note" });
  }

  /// A token of the text; one that begins a word keeps its blank before it.
  word(token, index, piece) {
    const text = this.page.store.tokens[index];
    const shown = token.bytes ? piece || "\u00b7" : text;
    const begins = !token.bytes && token.text.startsWith(" ") && token.text.length > 1;
    const { first_token, token: last } = this.page.story.word;
    const button = element(
      "button",
      {
        type: "button", class: "token", "data-token": index,
        "aria-label": `${text}, token ${index}: look at its row`, "aria-pressed": "false",
        onclick: () => this.page.look_at(index),
        onpointerenter: () => this.page.links.point({ token: index }), onpointerleave: () => this.page.links.point(null),
      },
      isolated(shown),
    );
    button.classList.toggle("is-word", index >= first_token && index <= last);
    return element("span", { class: begins ? "begins" : null }, begins ? " " : "", button);
  }

  get buttons() {
    return this.words.map((word) => word.querySelector("button"));
  }

  /// Lays the row's weights on the words; null for a step without weights.
  shine(tensor, row) {
    const colors = palette();
    this.buttons.forEach((button, column) => {
      const weight = tensor ? tensor.at(row, column) : 0;
      const color = colors.color(weight, "weights", 1);
      button.style.backgroundColor = tensor && weight > 0 ? css(color) : "";
      button.style.color = tensor && weight > 0 ? colors.ink_on(color) : "";
      button.title = tensor ? digits_of_float(weight) : "";
      button.classList.toggle("unseen-word", Boolean(tensor) && this.page.store.is_masked(tensor, row, column));
    });
    const { store } = this.page;
    this.note.replaceChildren(
      ...(tensor ? ["Light on each word: its weight for ", isolated(store.tokens[tensor.token_of(row)], { class: "quoted" }), ` in ${tensor.short_name}`, tensor.place ? `, ${tensor.place}` : ""] : ["\u00a0"]),
    );
  }

  mark(pointed) {
    const { asking, asked } = this.page.links.tokens_of(pointed);
    this.buttons.forEach((button, index) => {
      button.classList.toggle("asking", index === asking);
      button.classList.toggle("asked", index === asked);
    });
    this.page.shine(asking);
  }

  /// Of a long text, the lines with the word.
  scroll_to_word() {
    center_within(this.node, this.buttons[this.page.story.word.token]);
  }

  show_token(token) {
    this.buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === token)));
  }
}
