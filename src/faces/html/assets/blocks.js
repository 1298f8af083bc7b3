// What a step is made of, drawn: prose, formulas, facts; tensors and paths have files of their own.

import { element } from "./dom.js";
import { digits_of_double, short_number } from "./numbers.js";
import { path_picture } from "./path_picture.js";
import { TensorFigure } from "./tensor_figure.js";

function formula(block) {
  return element(
    "div",
    { class: "formula", role: "group", "aria-label": "Formula" },
    block.symbols.split(",  ").map((line) => element("p", { class: "symbols" }, line)),
    block.numbers ? element("p", { class: "with-numbers" }, block.numbers) : null,
  );
}

/// JSON has no infinity and no NaN: both arrive as null.
function fact(value) {
  if (value === null) return element("td", {}, "not finite");
  return element("td", { title: digits_of_double(value), "data-exact": digits_of_double(value) }, short_number(value));
}

/// A long list of single numbers is set in columns, like an index.
const kMostInOneColumn = 8;
const kMostColumns = 4;
const kMostInSight = 80;

function fact_tables(block) {
  const { rows } = block;
  const is_list = block.columns.length === 1 && rows.length > kMostInOneColumn && rows.every((row) => row.label.length < 24);
  const count = is_list ? Math.min(kMostColumns, Math.ceil(rows.length / kMostInOneColumn)) : 1;
  const each = Math.ceil(rows.length / count);
  return Array.from({ length: count }, (_, i) => fact_table(block, rows.slice(i * each, (i + 1) * each)));
}

function fact_table(block, rows) {
  const names = block.columns.map((name) => element("th", { scope: "col" }, name));
  const lines = rows.map((row) => element("tr", {}, element("th", { scope: "row" }, element("bdi", {}, row.label)), row.values.map(fact)));
  return element("table", { class: "facts" }, element("thead", {}, element("tr", {}, element("td"), names)), element("tbody", {}, lines));
}

function facts(block) {
  const exact = element("p", { class: "readout", "aria-live": "off" });
  const show = (event) => {
    const cell = event.target.closest?.("td[data-exact]");
    exact.replaceChildren(...(cell ? [element("b", {}, cell.dataset.exact)] : ["\u00a0"]));
  };
  show({ target: document.body });
  return element(
    "figure",
    { class: "facts-figure", "data-block": block.id },
    element("figcaption", {}, block.caption),
    element(
      "div",
      { class: block.rows.length > kMostInSight ? "facts-scroll long" : "facts-scroll", tabindex: 0, role: "region", "aria-label": block.caption, onpointerover: show, onclick: show },
      fact_tables(block),
    ),
    exact,
  );
}

function tensor(page, block) {
  const found = page.store.find(block.tensor);
  if (found) return new TensorFigure(page, block, found);
  return { node: element("p", { class: "absent" }, `${block.caption}: this file does not hold ${block.tensor}.`) };
}

const kLeastToCompare = 3;

/// The patterns of several heads are there to be compared.
function is_compared(blocks, index) {
  const is_pattern = (block) => block?.kind === "tensor" && block.whole && block.cells === "weights";
  let [from, to] = [index, index];
  while (is_pattern(blocks[from - 1])) --from;
  while (is_pattern(blocks[to + 1])) ++to;
  return is_pattern(blocks[index]) && to - from + 1 >= kLeastToCompare;
}

/// Puts the blocks of a step into `parent`; returns the tensor figures among them, to be laid out.
/// Lists and compared patterns stand beside each other where there is room.
export function draw_blocks(page, blocks, parent) {
  const figures = [];
  let row = null;
  for (const [index, block] of blocks.entries()) {
    if (block.kind !== "tensor") row = null;
    if (block.kind === "prose") parent.append(element("p", { class: "prose" }, block.text));
    else if (block.kind === "formula") parent.append(formula(block));
    else if (block.kind === "facts") parent.append(facts(block));
    else if (block.kind === "path") parent.append(path_picture(block, page.main.clientWidth));
    else if (block.kind === "tensor") {
      const figure = tensor(page, block);
      if (figure instanceof TensorFigure) figures.push(figure);
      const beside = figure instanceof TensorFigure && (figure.is_list || is_compared(blocks, index));
      if (!beside) row = null;
      else if (!row) parent.append((row = element("div", { class: "side-by-side" })));
      (row ?? parent).append(figure.node);
    }
  }
  return figures;
}
