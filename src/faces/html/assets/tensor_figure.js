// A tensor as a figure: its caption, what it is drawn as for the room there is, the exact number
// under the pointer, and the key to its colours.

import { CellGrid } from "./cell_grid.js";
import { element } from "./dom.js";
import { marks_for } from "./links.js";
import { digits_of_float, short_number } from "./numbers.js";
import { css, palette } from "./palette.js";
import { ShareList } from "./share_list.js";
import { TensorMap } from "./tensor_map.js";

const kCompact = { weights: { room: 3, width: 25 }, scores: { room: 4, width: 27 }, numbers: { room: 5, width: 34 } };
const kRoomy = { weights: { room: 6, width: 54 }, scores: { room: 7, width: 58 }, numbers: { room: 7, width: 58 } };
const kWidestCell = 66;
const kMostWholeRows = 40;
const kMostWindowRows = 13;  // a window is no taller than this, and
const kWindowRows = 9;       // of so many rows where there are more

export class TensorFigure {
  constructor(page, block, tensor) {
    this.page = page;
    this.block = block;
    this.tensor = tensor;
    this.cells = block.cells;
    this.caption = block.caption;
    this.all_rows = block.whole || block.token === null;
    this.marks = null;
    this.body = element("div", { class: "figure-body" });
    this.readout = element("p", { class: "readout", "aria-hidden": "true" });
    this.key = element("span", { class: "color-key", "aria-hidden": "true" });
    this.whose = element("span", { class: "whose" });
    this.node = element(
      "figure",
      { class: "tensor", "data-tensor": tensor.name, "data-block": block.id },
      element("figcaption", {}, element("span", { class: "caption-text" }, block.caption), this.whose),
      this.body,
      element("div", { class: "figure-foot" }, this.readout, this.key),
    );
    page.links.add(this);
  }

  /// Whether it is one row drawn as a list of words.
  get is_list() {
    return !this.all_rows && this.tensor.is_attention;
  }

  get row_shown() {
    const row = this.tensor.rows_are_tokens ? this.tensor.row_of(this.page.token) : this.block.token;
    return row >= 0 && row < this.tensor.rows ? row : this.tensor.row_of(this.block.token ?? 0);
  }

  layout(width) {
    this.width = width;
    this.label_width = width < 480 ? 68 : 92;
    this.node.style.setProperty("--label", `${this.label_width}px`);
    const row = Math.max(0, this.row_shown);
    this.shown = this.all_rows ? Array.from({ length: this.tensor.rows }, (_, r) => r) : [row];
    this.scale = this.color_scale();
    this.map = null;
    if (this.is_list) {
      this.grid = new ShareList(this.page, this, row);
      this.body.replaceChildren(this.grid.node);
      this.grid.scroll_to_word();
    } else {
      this.layout_cells(width);
    }
    this.tell_whose(row);
    this.paint_key();
    this.rest();
    this.mark(this.page.links.pointed ?? this.page.links.pinned);
  }

  layout_cells(width) {
    const size = this.window_for(width);
    this.decimals = this.decimals_for(size.room);
    const focus = { row: this.all_rows ? Math.max(0, this.row_shown) : 0, column: this.tensor.is_attention ? this.column_looked_at() : 0 };
    this.grid = new CellGrid(this.page, this, this.shown, size, focus);
    if (!this.grid.is_whole) {
      this.map = new TensorMap(this.page, this, this.shown, width);
      this.map.show_window(this.grid.origin, size);
    }
    this.body.replaceChildren(...(this.map ? [this.map.node] : []), this.grid.node);
  }

  /// Where the word's row is largest.
  column_looked_at() {
    const row = this.tensor.row(Math.max(0, this.row_shown));
    return row.reduce((best, value, column) => (value > row[best] ? column : best), 0);
  }

  /// All of the tensor where its digits fit, roomier if they can be; else a window.
  window_for(width) {
    const rows = this.shown.length;
    const { columns } = this.tensor;
    const room = width - this.label_width - 2;
    const roomy = kRoomy[this.cells];
    const compact = kCompact[this.cells];
    if (rows <= kMostWholeRows) {
      if (columns * roomy.width <= room) return { rows, columns, ...roomy, width: Math.min(kWidestCell, Math.floor(room / columns)) };
      if (columns * compact.width <= room) return { rows, columns, ...compact, width: Math.floor(room / columns), is_compact: true };
    }
    const fit = Math.max(1, Math.min(columns, Math.floor(room / roomy.width)));
    return { rows: rows <= kMostWindowRows ? rows : kWindowRows, columns: fit, ...roomy, width: Math.floor(room / fit) };
  }

  /// As many as the largest number of the table leaves room for, so that points stand under each other.
  decimals_for(room) {
    const before_point = Math.max(1, Math.floor(Math.log10(Math.max(1, this.scale))) + 1);
    const sign = this.cells === "weights" ? 0 : 1;
    return Math.max(room <= 4 ? 1 : 0, Math.min(4, room - 1 - sign - before_point + (room <= 4 && this.scale <= 1 ? 1 : 0)));
  }

  color_scale() {
    if (this.all_rows) return this.cells === "weights" ? 1 : this.tensor.scale;
    return this.tensor.row(this.shown[0]).reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);
  }

  tell_whose(row) {
    const { store } = this.page;
    const parts = [];
    if (!this.all_rows && this.tensor.rows_are_tokens) {
      const token = this.tensor.token_of(row);
      if (token !== this.block.token) parts.push(element("strong", {}, `row of ${store.token_in_words(token)}`));
    }
    const toggles = this.block.token !== null && this.tensor.rows > 1 && !this.block.whole;
    if (toggles) {
      parts.push(element("button", { type: "button", class: "quiet", onclick: () => this.toggle_rows() }, this.all_rows ? "only this row" : "all rows"));
    }
    this.whose.replaceChildren(...parts);
  }

  toggle_rows() {
    this.all_rows = !this.all_rows;
    this.layout(this.page.width_for(this));
    this.whose.querySelector("button")?.focus();
  }

  paint() {
    this.grid?.paint();
    this.map?.paint();
    this.paint_key();
  }

  /// From the least to the most that colours tell.
  paint_key() {
    if (this.is_list || (this.map?.is_bars && this.shown.length === 1)) return this.key.replaceChildren();
    const colors = palette();
    const stops = [];
    const least = this.cells === "weights" ? 0 : -this.scale;
    for (let i = 0; i <= 10; ++i) stops.push(css(colors.color(least + ((this.scale - least) * i) / 10, this.cells, this.scale)));
    const strip = element("i");
    strip.style.backgroundImage = `linear-gradient(to right, ${stops.join(", ")})`;
    this.key.replaceChildren(short_number(least), strip, short_number(this.scale));
  }

  /// The number under the pointer or the focus, to its last digit.
  read({ row, column }) {
    const { store } = this.page;
    const value = digits_of_float(this.tensor.at(row, column));
    const where = [this.tensor.axes[0] === "row" ? null : store.row_label(this.tensor, row), store.column_label(this.tensor, column)].filter((part) => part !== null);
    const arrow = this.tensor.is_attention ? " \u2192 " : ", ";
    this.readout.replaceChildren(
      ...where.flatMap((part, i) => [i ? arrow : "", element("bdi", {}, part)]), " ", element("b", {}, value),
    );
  }

  rest() {
    const [x, y] = [this.shown.length, this.tensor.columns];
    const size = this.is_list ? `${y} numbers` : x === 1 ? `${y} numbers` : `${x} \u00d7 ${y} numbers`;
    this.readout.replaceChildren(element("span", { class: "size" }, size), element("code", {}, this.tensor.name));
  }

  window_moved() {
    this.map?.show_window(this.grid.origin, this.grid.size);
  }

  mark(pointed) {
    this.marks = pointed ? marks_for(this.page.store, this.tensor, pointed) : null;
    this.grid?.mark(this.marks);
    this.map?.mark(this.marks);
  }
}
