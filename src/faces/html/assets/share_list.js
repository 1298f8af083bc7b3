// One word's row of scores or weights, as a list: a word, its number, a bar. Each number opens.

import { center_within, element, isolated } from "./dom.js";
import { cell_after_key, opens } from "./grid_keys.js";
import { digits_of_float, fitted } from "./numbers.js";
import { css, palette } from "./palette.js";

// Longer lists scroll within themselves.
const kMostInSight = 40;

export class ShareList {
  constructor(page, figure, row) {
    this.page = page;
    this.figure = figure;
    this.tensor = figure.tensor;
    this.row = row;
    this.focus = { row: Math.min(page.token, this.tensor.columns - 1), column: 0 };
    this.build();
  }

  build() {
    const values = this.tensor.row(this.row);
    this.has_signs = values.some((value) => value < 0 && value !== -Infinity);
    const decimals = this.figure.scale >= 100 ? 2 : this.figure.cells === "weights" ? 4 : 3;
    this.lines = Array.from(values, (value, column) => this.line(value, column, decimals));
    this.node = element(
      "div",
      { class: values.length > kMostInSight ? "share-list long" : "share-list" },
      element(
        "table",
        {
          role: "grid", "aria-label": this.figure.caption, "aria-rowcount": values.length, "aria-colcount": 2,
          onkeydown: (event) => this.key(event), onclick: (event) => this.pick(event),
          onpointerover: (event) => this.hover(event), onpointerleave: () => this.page.links.point(null),
          onfocusin: (event) => this.focused(event), onfocusout: () => this.page.links.point(null),
        },
        element("tbody", {}, this.lines.map((line) => line.node)),
      ),
    );
    this.paint();
    this.place_tab_stop();
  }

  line(value, column, decimals) {
    const { store } = this.page;
    const masked = store.is_masked(this.tensor, this.row, column);
    const hides = masked && this.figure.cells === "weights";
    const bar = element("span", { class: "bar" });
    const cell = element(
      "td",
      { role: "gridcell", class: "number", tabindex: -1, "aria-label": hides ? "masked: 0" : digits_of_float(value) },
      hides ? "masked" : fitted(value, 9, decimals),
    );
    const node = element(
      "tr",
      { class: masked ? "masked" : null, "aria-rowindex": column + 1 },
      element("th", { scope: "row", class: column === this.page.token ? "is-word" : null }, isolated(store.column_label(this.tensor, column))),
      cell,
      element("td", { class: this.has_signs ? "bar-room signed" : "bar-room", "aria-hidden": "true" }, bar),
    );
    return { node, cell, bar, value, masked };
  }

  paint() {
    const colors = palette();
    for (const { bar, value, masked } of this.lines) {
      const part = masked || !Number.isFinite(value) ? 0 : Math.min(1, Math.abs(value) / (this.figure.scale || 1));
      const color = this.figure.cells === "weights" ? colors.share[150] : value < 0 ? colors.negative[190] : colors.positive[235];
      bar.style.width = `${part * (this.has_signs ? 50 : 100)}%`;
      bar.style.left = this.has_signs ? `${value < 0 ? 50 - part * 50 : 50}%` : "0";
      bar.style.backgroundColor = css(color);
    }
  }

  reference(line) {
    return { tensor: this.tensor.name, row: this.row, column: line };
  }

  place_tab_stop() {
    for (const { cell } of this.lines) cell.setAttribute("tabindex", "-1");
    this.lines[this.focus.row].cell.setAttribute("tabindex", "0");
  }
  focus_cell() {
    this.lines[this.focus.row].cell.focus();
  }

  key(event) {
    if (opens(event)) {
      event.preventDefault();
      return this.page.open(this.reference(this.focus.row), this);
    }
    const next = cell_after_key(event, this.focus, { rows: this.lines.length, columns: 1, page: 10 });
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    this.focus = next;
    this.place_tab_stop();
    this.focus_cell();
    if (this.page.opened_from(this)) this.page.open(this.reference(this.focus.row), this);
  }

  line_under(event) {
    const node = event.target.closest("tr");
    return node ? Number(node.getAttribute("aria-rowindex")) - 1 : -1;
  }
  pick(event) {
    const line = this.line_under(event);
    if (line < 0) return;
    this.focus = { row: line, column: 0 };
    this.place_tab_stop();
    this.focus_cell();
    this.page.open(this.reference(line), this);
  }
  hover(event) {
    const line = this.line_under(event);
    if (line < 0) return;
    this.page.links.point(this.reference(line));
    this.figure.read(this.reference(line));
  }
  focused(event) {
    const line = this.line_under(event);
    this.focus = { row: line, column: 0 };
    this.page.links.point(this.reference(line));
    this.figure.read(this.reference(line));
  }

  /// Of a long list, the part with the word.
  scroll_to_word() {
    center_within(this.node, this.lines[this.focus.row].node);
  }

  mark(marks) {
    const here = marks && [marks.row ?? []].flat().includes(this.row);
    this.lines.forEach(({ node }, column) =>
      node.classList.toggle("lit", Boolean(marks) && column === marks.column && (here || marks.row === null)),
    );
  }
}
