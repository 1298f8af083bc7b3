// A tensor seen whole, too large for digits: one dab of colour a number, or, of a single row, a bar
// for each. A lens shows where the grid of digits below looks; touching the map moves it.

import { element } from "./dom.js";
import { css, palette } from "./palette.js";

const kBarHeight = 64;        // pixels of a single row
const kLabelledRow = 15;      // pixels of a row that has its word beside it
const kMostLabelledRows = 40;
const kTallest = 440;
const kStrokeFrom = 5;        // a cell of so many pixels has room for a minus

export class TensorMap {
  constructor(page, figure, shown, width) {
    this.page = page;
    this.figure = figure;
    this.tensor = figure.tensor;
    this.shown = shown;
    this.is_bars = shown.length === 1;
    this.has_labels = !this.is_bars && shown.length <= kMostLabelledRows && this.tensor.rows_are_tokens;
    // Maps begin where the digits below them do.
    this.has_room_for_labels = this.has_labels || this.is_bars;
    this.width = Math.max(80, Math.floor(width - (this.has_room_for_labels ? figure.label_width : 0)));
    this.height = this.height_for(this.width);
    this.build();
    this.paint();
  }

  height_for(width) {
    if (this.is_bars) return kBarHeight;
    if (this.has_labels) return this.shown.length * kLabelledRow;
    const square = (width / this.tensor.columns) * this.shown.length;
    return Math.round(this.tensor.is_attention ? square : Math.min(kTallest, Math.max(square, Math.min(kTallest, this.shown.length * 4))));
  }

  build() {
    this.canvas = element("canvas");
    this.lens = element("div", { class: "lens" });
    this.row_line = element("div", { class: "map-line" });
    this.column_line = element("div", { class: "map-line" });
    this.field = element(
      "div",
      {
        class: "field",
        onpointermove: (event) => this.point(event), onpointerleave: () => this.page.links.point(null),
        onclick: (event) => this.choose(event),
      },
      this.canvas, this.row_line, this.column_line, this.lens,
    );
    this.field.style.width = `${this.width}px`;
    this.field.style.height = `${this.height}px`;
    this.node = element("div", { class: "map", "aria-hidden": "true" }, this.has_room_for_labels ? this.labels() : null, this.field);
  }

  labels() {
    const { store } = this.page;
    this.label_nodes = (this.has_labels ? this.shown : []).map((row) => element("span", {}, element("bdi", {}, store.row_label(this.tensor, row))));
    const list = element("div", { class: "map-labels" }, this.label_nodes);
    list.style.width = `${this.figure.label_width}px`;
    return list;
  }

  paint() {
    const sharpness = Math.max(1, Math.min(3, window.devicePixelRatio || 1));
    this.canvas.width = Math.round(this.width * sharpness);
    this.canvas.height = Math.round(this.height * sharpness);
    const context = this.canvas.getContext("2d");
    context.scale(sharpness, sharpness);
    if (this.is_bars) this.paint_bars(context);
    else this.paint_dabs(context, sharpness);
  }

  /// Up for what is above 0, down for what is below.
  paint_bars(context) {
    const colors = palette();
    const row = this.tensor.row(this.shown[0]);
    const scale = this.figure.scale || 1;
    const step = this.width / row.length;
    const middle = this.height / 2;
    for (let c = 0; c < row.length; ++c) {
      if (!Number.isFinite(row[c])) continue;
      const size = (row[c] / scale) * (middle - 2);
      context.fillStyle = css(row[c] < 0 ? colors.negative[190] : colors.positive[235]);
      context.fillRect(c * step, size > 0 ? middle - size : middle, Math.max(step * 0.72, 0.6), Math.max(Math.abs(size), 0.5));
    }
    context.fillStyle = colors.dark_ink;
    context.globalAlpha = 0.35;
    context.fillRect(0, middle - 0.5, this.width, 1);
  }

  paint_dabs(context, sharpness) {
    const { columns } = this.tensor;
    const rows = this.shown.length;
    const image = new ImageData(columns, rows);
    const colors = palette();
    for (let r = 0; r < rows; ++r) {
      const values = this.tensor.row(this.shown[r]);
      for (let c = 0; c < columns; ++c) {
        const color = colors.color(values[c], this.figure.cells, this.figure.scale);
        image.data.set([...color, values[c] === -Infinity ? 0 : 255], 4 * (r * columns + c));
      }
    }
    const small = document.createElement("canvas");
    small.width = columns;
    small.height = rows;
    small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, this.width, this.height);
    this.strike_negatives(context);
  }

  /// A minus in each cell below 0, where there is room for one.
  strike_negatives(context) {
    const wide = this.width / this.tensor.columns;
    const high = this.height / this.shown.length;
    if (Math.min(wide, high) < kStrokeFrom || this.figure.cells === "weights") return;
    context.fillStyle = css(palette().share[0]);
    this.shown.forEach((row, r) => {
      this.tensor.row(row).forEach((value, c) => {
        if (value < 0 && value !== -Infinity) context.fillRect((c + 0.25) * wide, (r + 0.5) * high - 0.5, wide / 2, 1);
      });
    });
  }

  place_under(event) {
    const box = this.field.getBoundingClientRect();
    const index = (at, extent, count) => Math.max(0, Math.min(count - 1, Math.floor((at / extent) * count)));
    return {
      row: index(event.clientY - box.top, box.height, this.shown.length),
      column: index(event.clientX - box.left, box.width, this.tensor.columns),
    };
  }

  point(event) {
    const place = this.place_under(event);
    const reference = this.figure.grid.reference(place);
    this.page.links.point(reference);
    this.figure.read(reference);
  }

  choose(event) {
    const { grid } = this.figure;
    grid.go_to(this.place_under(event), { centered: true });
    this.page.open(grid.reference(grid.focus), grid);
  }

  /// Puts the lens over the window of the grid.
  show_window(origin, size) {
    const percent = (part, whole) => `${(100 * part) / whole}%`;
    this.lens.style.left = percent(origin.column, this.tensor.columns);
    this.lens.style.width = percent(size.columns, this.tensor.columns);
    this.lens.style.top = percent(origin.row, this.shown.length);
    this.lens.style.height = percent(size.rows, this.shown.length);
  }

  mark(marks) {
    const row = [marks?.row ?? []].flat()[0];
    const at = row === undefined ? -1 : this.shown.indexOf(row);
    this.place_line(this.row_line, "top", "height", at, this.shown.length);
    this.place_line(this.column_line, "left", "width", marks?.column ?? -1, this.tensor.columns);
    this.label_nodes?.forEach((label, r) => label.classList.toggle("lit", r === at));
  }

  place_line(line, side, extent, at, count) {
    line.classList.toggle("shown", at >= 0 && at < count && count > 1);
    line.style[side] = `${(100 * at) / count}%`;
    line.style[extent] = `${100 / count}%`;
  }
}
