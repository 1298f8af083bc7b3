// The opened cell: its number to the last digit, and the terms that made it. Each factor can be
// opened in its turn, down to the model's own tables.

import { announce, element, isolated } from "./dom.js";
import { digits_of_double, digits_of_float, short_number } from "./numbers.js";
import { open_cell } from "./recipes.js";

export class CellPanel {
  constructor(page) {
    this.page = page;
    this.trail = [];
    this.by_size = false;
    this.origin = null;
    this.node = element("aside", {
      class: "opened", hidden: true, "aria-label": "The opened cell", tabindex: -1,
      onkeydown: (event) => event.key === "Escape" && this.close(),
    });
  }

  get is_open() {
    return !this.node.hidden;
  }

  /// `origin`: the grid that the cell was opened from, to go back to.
  open(reference, origin) {
    this.origin = origin;
    this.trail = [reference];
    // Next in the order of Tab, wherever on the screen it is.
    if (this.node.previousElementSibling !== origin.figure.node) origin.figure.node.after(this.node);
    this.node.hidden = false;
    this.show();
  }
  deeper(reference) {
    this.trail.push(reference);
    this.show();
    this.node.focus({ preventScroll: true });
  }
  back_to(index) {
    this.trail.length = index + 1;
    this.show();
    this.node.focus({ preventScroll: true });
  }
  close() {
    if (!this.is_open) return;
    this.node.hidden = true;
    this.page.links.pin(null);
    document.body.classList.remove("has-opened");
    if (this.node.contains(document.activeElement) || document.activeElement === document.body) this.origin?.focus_cell();
  }

  show() {
    const reference = this.trail.at(-1);
    const cell = open_cell(this.page.store, reference);
    document.body.classList.add("has-opened");
    Object.assign(this.node.dataset, reference);
    this.page.links.pin(reference);
    this.node.replaceChildren(this.head(cell), this.number(cell), element("p", { class: "made" }, cell.line), ...this.terms(cell), this.check(cell));
    this.node.scrollTop = 0;
    announce(`${this.title_text(cell)}: ${digits_of_float(cell.value)}. ${cell.line}. ${cell.terms.length} terms; press Tab to read them.`);
  }

  title_text({ tensor, row, column }) {
    const { store } = this.page;
    return `${tensor.short_name}, ${store.row_in_words(tensor, row)}, ${store.column_in_words(tensor, column)}`;
  }

  head(cell) {
    const trail = this.trail.slice(0, -1).map((step, i) =>
      element("button", { type: "button", class: "quiet", onclick: () => this.back_to(i) }, `\u2190 ${this.page.store.find(step.tensor).short_name}`),
    );
    return element(
      "header",
      {},
      element("div", { class: "trail" }, trail.slice(-3)),
      element("button", { type: "button", class: "close", "aria-label": "Close the opened cell", onclick: () => this.close() }, "\u00d7"),
      element("h3", {}, cell.tensor.short_name, element("small", {}, cell.tensor.place)),
      element("p", { class: "where" }, ...this.where(cell)),
    );
  }

  where({ tensor, row, column }) {
    const { store } = this.page;
    const parts = [];
    if (tensor.rows_are_tokens) parts.push(isolated(store.tokens[tensor.token_of(row)]), ` (${tensor.token_of(row)})`);
    else if (tensor.axes[0] !== "row") parts.push(`row ${row}`);
    if (tensor.is_attention) parts.push(" looks at ", isolated(store.tokens[column]), ` (${column})`);
    else parts.push(parts.length ? `, column ${column}` : `column ${column}`);
    return parts;
  }

  number(cell) {
    const masked = this.page.store.is_masked(cell.tensor, cell.row, cell.column);
    return element("p", { class: "value" }, element("output", {}, digits_of_float(cell.value)), masked ? element("small", {}, " masked") : null);
  }

  terms(cell) {
    if (!cell.terms.length) return [];
    const largest = cell.terms.reduce((most, { value }) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0);
    const numbered = cell.terms.map((term, index) => ({ ...term, index }));
    if (this.by_size) numbered.sort((a, b) => Math.abs(b.value ?? 0) - Math.abs(a.value ?? 0));
    const shows_product = cell.terms.some((term) => term.factors.length > 1 || term.value !== term.factors[0].value) && cell.heads.length > 1;
    const table = element(
      "table",
      { class: "terms" },
      element("caption", { class: "unseen" }, `What ${this.title_text(cell)} is made of`),
      element("thead", {}, element("tr", {}, element("td"), cell.heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, numbered.map((term) => this.term(term, cell, shows_product, largest))),
    );
    return [
      cell.terms.length > 3 ? this.order_switch(cell) : null,
      element("div", { class: "terms-scroll", tabindex: 0, role: "region", "aria-label": "Terms" }, table),
    ].filter(Boolean);
  }

  order_switch(cell) {
    const choose = (by_size) => {
      this.by_size = by_size;
      this.show();
      this.node.querySelector(`.order [aria-pressed=true]`)?.focus({ preventScroll: true });
    };
    const option = (label, by_size) =>
      element("button", { type: "button", class: "quiet", "aria-pressed": String(this.by_size === by_size), onclick: () => choose(by_size) }, label);
    return element("div", { class: "order" }, element("span", {}, `${cell.terms.length} terms`), option("in order", false), option("largest first", true));
  }

  term(term, cell, shows_product, largest) {
    const cells = term.factors.map((factor) => element("td", {}, this.factor(factor)));
    if (shows_product) {
      while (cells.length < cell.heads.length - 1) cells.push(element("td"));
      const bar = element("i", { class: term.value < 0 ? "below" : "above" });
      bar.style.width = `${Number.isFinite(term.value) && largest ? (100 * Math.abs(term.value)) / largest : 0}%`;
      cells.push(element("td", { class: "product" }, element("span", {}, digits_of_double(term.value)), bar));
    }
    return element("tr", { class: term.is_own ? "is-own" : null }, element("th", { scope: "row" }, isolated(term.label)), cells);
  }

  factor(factor) {
    if (!factor.tensor) return element("span", {}, digits_of_double(factor.value));
    const tensor = this.page.store.find(factor.tensor);
    return element(
      "button",
      {
        type: "button", class: "factor", "data-tensor": factor.tensor, "data-row": factor.row, "data-column": factor.column, onclick: () => this.deeper(factor),
        "aria-label": `${digits_of_float(factor.value)}, ${tensor.short_name}: open`,
        onpointerenter: () => this.page.links.point(factor), onpointerleave: () => this.page.links.point(null),
      },
      digits_of_float(factor.value),
    );
  }

  /// The terms put together in float64, the engine's own cell, and what the proof says of the table.
  check(cell) {
    const { proof } = cell.tensor;
    const lines = [];
    if (cell.result !== undefined) {
      lines.push(
        [`Terms ${cell.together ?? "put together"} in float64`, digits_of_double(cell.result)],
        ["The engine\u2019s cell, float32", digits_of_float(cell.value)],
      );
      const apart = Math.abs(cell.result - cell.value);
      if (Number.isFinite(apart)) lines.push(["Apart by", short_number(apart)]);
    }
    const list = element("dl", { class: "check" }, lines.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, value)]));
    if (proof) {
      const { store } = this.page;
      const row = proof.token === undefined ? store.row_in_words(cell.tensor, proof.row) : store.token_in_words(proof.token);
      const where = `${row}, ${store.column_in_words(cell.tensor, proof.column)}`;
      list.append(element("dt", { class: "wide" }, `The proof: no cell of this table is further from float64 than ${short_number(proof.largest_difference)} (at ${where}).`));
    }
    return list;
  }
}
