// A grid of cells with digits: the whole of a small tensor, or a window onto a large one that
// follows the focus. Every cell can be reached with the keys, and opened.

import { element, isolated } from "./dom.js";
import { cell_after_key, opens } from "./grid_keys.js";
import { digits_of_float, fitted } from "./numbers.js";
import { css, palette } from "./palette.js";

/// `shown`: the rows of the tensor that the grid has, in order. `size`: {rows, columns} of the
/// window, and {room, width}: characters and pixels of a cell.
export class CellGrid {
  constructor(page, figure, shown, size, focus) {
    this.page = page;
    this.figure = figure;
    this.tensor = figure.tensor;
    this.shown = shown;
    this.size = size;
    this.focus = focus;
    this.origin = { row: 0, column: 0 };
    this.build();
    this.follow();
    this.fill();
  }

  get is_whole() {
    return this.size.rows === this.shown.length && this.size.columns === this.tensor.columns;
  }

  build() {
    const { rows, columns } = this.size;
    this.column_heads = Array.from({ length: columns }, () => element("th", { scope: "col" }, isolated("")));
    this.row_heads = [];
    this.cells = [];
    const body = element("tbody");
    for (let r = 0; r < rows; ++r) {
      const head = element("th", { scope: "row" }, isolated(""));
      const cells = Array.from({ length: columns }, () => element("td", { role: "gridcell", tabindex: -1 }));
      this.row_heads.push(head);
      this.cells.push(cells);
      body.append(element("tr", {}, head, cells));
    }
    this.node = element(
      "table",
      {
        role: "grid", class: `cells cells-of-${this.figure.cells}`, "aria-label": this.figure.caption,
        "aria-rowcount": this.shown.length + 1, "aria-colcount": this.tensor.columns + 1,
        onkeydown: (event) => this.key(event), onclick: (event) => this.click(event),
        onpointerover: (event) => this.hover(event), onpointerleave: () => this.page.links.point(null),
        onfocusin: (event) => this.focused(event), onfocusout: () => this.page.links.point(null),
      },
      element("thead", {}, element("tr", {}, element("td", { class: "corner" }, this.corner()), this.column_heads)),
      body,
    );
    this.node.classList.toggle("compact", this.size.is_compact === true);
    this.node.classList.toggle("upright", this.size.is_compact === true && this.tensor.is_attention);
    this.node.style.setProperty("--cell", `${this.size.width}px`);
  }

  /// What the rows and the columns are, where it helps: who looks at whom.
  corner() {
    return this.tensor.is_attention && this.size.rows > 1 ? element("span", { "aria-hidden": "true" }, "looks at \u2192") : "";
  }

  /// Moves the window so that the focus is in it: in the middle after a jump, at the edge after a step.
  follow(centered = true) {
    const place = (at, focus, extent, count) => {
      if (focus >= at && focus < at + extent && !centered) return at;
      const wanted = centered ? focus - Math.floor(extent / 2) : focus < at ? focus : focus - extent + 1;
      return Math.max(0, Math.min(count - extent, wanted));
    };
    this.origin = {
      row: place(this.origin.row, this.focus.row, this.size.rows, this.shown.length),
      column: place(this.origin.column, this.focus.column, this.size.columns, this.tensor.columns),
    };
  }

  fill() {
    const { store } = this.page;
    const { origin, tensor } = this;
    this.column_heads.forEach((head, c) => {
      head.firstChild.textContent = store.column_label(tensor, origin.column + c);
      head.setAttribute("aria-colindex", origin.column + c + 2);
    });
    this.cells.forEach((cells, r) => {
      const row = this.shown[origin.row + r];
      this.row_heads[r].firstChild.textContent = store.row_label(tensor, row);
      this.row_heads[r].classList.toggle("is-word", tensor.rows_are_tokens && tensor.token_of(row) === this.page.token);
      this.row_heads[r].parentNode.setAttribute("aria-rowindex", origin.row + r + 2);
      cells.forEach((cell, c) => this.fill_cell(cell, row, origin.column + c));
    });
    this.paint();
    this.place_tab_stop();
    this.mark(this.figure.marks);
    this.figure.window_moved?.();
  }

  fill_cell(cell, row, column) {
    const value = this.tensor.at(row, column);
    const masked = this.page.store.is_masked(this.tensor, row, column);
    const hides = masked && this.figure.cells === "weights";
    cell.textContent = hides ? "" : fitted(value, this.size.room, this.figure.decimals);
    cell.classList.toggle("masked", masked);
    cell.setAttribute("aria-colindex", column + 2);
    cell.setAttribute("aria-label", hides ? "masked: 0" : digits_of_float(value));
  }

  paint() {
    const colors = palette();
    const { origin, tensor, figure } = this;
    this.cells.forEach((cells, r) =>
      cells.forEach((cell, c) => {
        const value = tensor.at(this.shown[origin.row + r], origin.column + c);
        const masked = cell.classList.contains("masked");
        const color = colors.color(value, figure.cells, figure.scale);
        cell.style.backgroundColor = masked ? "" : css(color);
        cell.style.color = masked ? "" : colors.ink_on(color);
      }),
    );
  }

  place_tab_stop() {
    this.stop?.setAttribute("tabindex", "-1");
    this.stop = this.cells[this.focus.row - this.origin.row]?.[this.focus.column - this.origin.column];
    this.stop?.setAttribute("tabindex", "0");
  }

  /// The place in the tensor of a cell of the window.
  place_of(cell) {
    const row = Number(cell.parentNode.getAttribute("aria-rowindex")) - 2;
    return { row, column: Number(cell.getAttribute("aria-colindex")) - 2 };
  }
  reference(place) {
    return { tensor: this.tensor.name, row: this.shown[place.row], column: place.column };
  }

  go_to(place, { centered = false, take_focus = true } = {}) {
    this.focus = place;
    const before = { ...this.origin };
    this.follow(centered);
    if (before.row !== this.origin.row || before.column !== this.origin.column) this.fill();
    else this.place_tab_stop();
    if (take_focus) this.stop?.focus();
  }

  key(event) {
    if (opens(event)) {
      event.preventDefault();
      return this.page.open(this.reference(this.focus), this);
    }
    const next = cell_after_key(event, this.focus, { rows: this.shown.length, columns: this.tensor.columns, page: this.size.rows });
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    this.go_to(next);
    if (this.page.opened_from(this)) this.page.open(this.reference(this.focus), this);
  }

  click(event) {
    const cell = event.target.closest("td[role=gridcell]");
    if (!cell) return;
    this.go_to(this.place_of(cell));
    this.page.open(this.reference(this.focus), this);
  }

  hover(event) {
    const cell = event.target.closest("td[role=gridcell]");
    const head = event.target.closest("tbody th");
    if (cell) this.page.links.point(this.reference(this.place_of(cell)));
    else if (head && this.tensor.rows_are_tokens) this.page.links.point({ token: this.tensor.token_of(this.shown[this.place_of(head.nextSibling).row]) });
    else this.page.links.point(null);
    if (cell) this.figure.read(this.reference(this.place_of(cell)));
  }

  focused(event) {
    const cell = event.target.closest("td[role=gridcell]");
    if (!cell) return;
    const place = this.place_of(cell);
    this.focus = place;
    this.place_tab_stop();
    this.page.links.point(this.reference(place));
    this.figure.read(this.reference(place));
  }

  focus_cell() {
    this.stop?.focus();
  }

  /// Lights the rows and columns that belong to what is pointed at.
  mark(marks) {
    const rows = [marks?.row ?? []].flat();
    const { column = null } = marks ?? {};
    this.row_heads.forEach((head, r) => head.classList.toggle("lit", rows.includes(this.shown[this.origin.row + r])));
    this.column_heads.forEach((head, c) => head.classList.toggle("lit", this.origin.column + c === column));
    this.cells.forEach((cells, r) => {
      const in_row = rows.includes(this.shown[this.origin.row + r]);
      cells.forEach((cell, c) => {
        const in_column = this.origin.column + c === column;
        cell.classList.toggle("lit", rows.length && column !== null ? in_row && in_column : in_row || in_column);
        cell.classList.toggle("lit-line", rows.length > 0 && column !== null && in_row !== in_column);
      });
    });
  }
}
