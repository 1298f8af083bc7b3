// A cell, opened: how the engine's own numbers made it. Factors are float32 as recorded; the product
// of two is exact in the double that is shown. Adding up here is only to see that the terms lead to
// the cell: the cell itself is the engine's.

/// A number with the place that it stands in, so that it can be opened in its turn.
function number_at(tensor, row, column) {
  return { value: tensor.at(row, column), tensor: tensor.name, row, column };
}

/// Of an operand, the row that belongs to a row of the result.
function row_for(operand, tensor, row) {
  if (operand.axes[0] === "row") return 0;
  return operand.row_of(tensor.token_of(row));
}

function sum_of(terms) {
  return terms.reduce((sum, term) => sum + term.value, 0);
}

function products(cell, operands, other_at, label_of) {
  const { tensor, row } = cell;
  const [x, y, bias] = operands;
  const own = row_for(x, tensor, row);
  const terms = [];
  for (let k = 0; k < x.columns; ++k) {
    const factors = [number_at(x, own, k), other_at(y, k)];
    terms.push({ label: label_of(x, k), factors, value: factors[0].value * factors[1].value });
  }
  if (bias) {
    const added = number_at(bias, 0, cell.column);
    terms.push({ label: "bias", factors: [added], value: added.value });
  }
  return terms;
}

/// What each operation says of a cell: {line, heads, terms, result}. `line` is the equation in
/// words; `result` the terms put together in float64.
const kOpeners = {
  linear(cell, operands, store) {
    const terms = products(cell, operands, (y, k) => number_at(y, k, cell.column), (x, k) => store.column_label(x, k));
    const [x, y, bias] = operands;
    return {
      line: `row ${store.row_label(x, row_for(x, cell.tensor, cell.row))} of ${x.short_name} \u00d7 column ${cell.column} of ${y.short_name}` + (bias ? " + bias" : ""),
      heads: [x.short_name, y.short_name, "product"], terms, result: sum_of(terms), together: "added up",
    };
  },

  dot_rows(cell, operands, store) {
    const terms = products(cell, operands.slice(0, 2), (y, k) => number_at(y, cell.column, k), (x, k) => store.column_label(x, k));
    const [x, y] = operands;
    return {
      line: `row ${store.row_label(x, row_for(x, cell.tensor, cell.row))} of ${x.short_name} \u00b7 row ${store.row_label(y, cell.column)} of ${y.short_name}`,
      heads: [x.short_name, y.short_name, "product"], terms, result: sum_of(terms), together: "added up",
    };
  },

  add(cell, operands) {
    const terms = operands.map((x) => {
      const part = number_at(x, row_for(x, cell.tensor, cell.row), cell.column);
      return { label: [x.place, x.short_name].filter(Boolean).join(": "), factors: [part], value: part.value };
    });
    return { line: operands.map((x) => x.short_name).join(" + "), heads: [""], terms, result: sum_of(terms), together: "added up" };
  },

  scale(cell, [x]) {
    const from = number_at(x, row_for(x, cell.tensor, cell.row), cell.column);
    const { factor } = cell.tensor.recipe;
    const value = from.value * factor;
    return {
      line: `${x.short_name} \u00d7 factor`, heads: [x.short_name, "factor", "product"],
      terms: [{ label: "", factors: [from, { value: factor, is_double: true }], value }], result: value,
    };
  },

  causal_mask(cell, [x], store) {
    const from = number_at(x, row_for(x, cell.tensor, cell.row), cell.column);
    const hidden = cell.column > cell.tensor.token_of(cell.row);
    const who = store.token_in_words(cell.tensor.token_of(cell.row));
    return {
      line: hidden
        ? `${store.token_in_words(cell.column)}, comes after ${who}: hidden from it, so minus infinity stands here`
        : `${store.token_in_words(cell.column)}, does not come after ${who}: the score stays as it was`,
      heads: [x.short_name], terms: [{ label: "", factors: [from], value: from.value }], result: hidden ? -Infinity : from.value,
    };
  },

  share_of_sum(cell, [x], store) {
    const own = row_for(x, cell.tensor, cell.row);
    const terms = Array.from(x.row(own), (value, j) => ({
      label: store.column_label(x, j), factors: [number_at(x, own, j)], value, is_own: j === cell.column,
    }));
    const sum = sum_of(terms);
    return {
      line: `its number, divided by the sum of its row, ${sum}`, heads: [x.short_name], terms,
      result: x.at(own, cell.column) / sum, together: "divided",
    };
  },

  softmax(cell, [x], store) {
    const own = row_for(x, cell.tensor, cell.row);
    const row = x.row(own);
    const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0);
    const terms = Array.from(row, (value, j) => ({
      label: store.column_label(x, j), factors: [number_at(x, own, j)], value: Math.exp(value - largest), is_own: j === cell.column,
    }));
    return {
      line: `e to the power of (score \u2212 largest score of the row), divided by the row\u2019s sum of these, ${sum}`,
      heads: [x.short_name, "e^(score \u2212 largest)"], terms, result: terms[cell.column].value / sum, together: "divided",
    };
  },

  layer_norm(cell, [x, gain, bias]) {
    const own = row_for(x, cell.tensor, cell.row);
    const row = x.row(own);
    const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
    const epsilon = cell.tensor.recipe.factor;
    const factors = [number_at(x, own, cell.column), number_at(gain, 0, cell.column)];
    const parts = [
      { label: "the number", factors: [factors[0]] },
      { label: `mean of its ${row.length} numbers`, factors: [{ value: mean, is_double: true }] },
      { label: "their variance", factors: [{ value: variance, is_double: true }] },
      { label: "epsilon", factors: [{ value: epsilon, is_double: true }] },
      { label: "gain", factors: [factors[1]] },
    ];
    if (bias) parts.push({ label: "bias", factors: [number_at(bias, 0, cell.column)] });
    const shift = bias ? bias.at(0, cell.column) : 0;
    return {
      line: "(number \u2212 mean) / \u221a(variance + epsilon) \u00d7 gain" + (bias ? " + bias" : ""), heads: [""], terms: parts,
      result: ((factors[0].value - mean) / Math.sqrt(variance + epsilon)) * factors[1].value + shift, together: "put together",
    };
  },

  gelu_tanh(cell, [x]) {
    const from = number_at(x, row_for(x, cell.tensor, cell.row), cell.column);
    const inner = Math.sqrt(2 / Math.PI) * (from.value + 0.044715 * from.value ** 3);
    return {
      line: "x (1 + tanh(\u221a(2/\u03c0) (x + 0.044715 x\u00b3))) / 2", heads: ["x"],
      terms: [{ label: "", factors: [from], value: from.value }], result: (from.value * (1 + Math.tanh(inner))) / 2, together: "put in",
    };
  },

  gelu_exact(cell, [x]) {
    const from = number_at(x, row_for(x, cell.tensor, cell.row), cell.column);
    return { line: "x (1 + erf(x / \u221a2)) / 2", heads: ["x"], terms: [{ label: "", factors: [from], value: from.value }] };
  },

  join(cell, operands) {
    let column = cell.column;
    const part = operands.find((x) => (column < x.columns ? true : ((column -= x.columns), false)));
    const from = number_at(part, row_for(part, cell.tensor, cell.row), column);
    return {
      line: `column ${column} of ${part.place}: ${part.short_name}`, heads: [""],
      terms: [{ label: "", factors: [from], value: from.value }], result: from.value,
    };
  },
};

/// {tensor, row, column, value, line, heads, terms, result, together}: the last four where the file
/// holds what made the cell; `line` says why where it does not.
export function open_cell(store, { tensor: name, row, column }) {
  const tensor = store.find(name);
  const cell = { tensor, row, column, value: tensor.at(row, column), heads: [], terms: [] };
  const { operation, operands } = tensor.recipe;
  if (operation === "given") return { ...cell, line: given_in_words(tensor, store, row) };
  const missing = operands.find((operand) => !is_there(store, operand, tensor, row));
  if (missing) {
    return { ...cell, line: `made from ${missing}, which this file does not hold: save the trace to see it`, is_missing: true };
  }
  const opener = kOpeners[operation];
  if (!opener) return { ...cell, line: `made by ${operation} of ${operands.join(", ")}` };
  return { ...cell, ...opener(cell, operands.map((operand) => store.find(operand)), store) };
}

function is_there(store, operand, tensor, row) {
  const found = store.find(operand);
  if (!found) return false;
  return !found.rows_are_tokens || !tensor.rows_are_tokens || found.row_of(tensor.token_of(row)) >= 0;
}

function given_in_words(tensor, store, row) {
  if (tensor.name === "token_embedding") return `the model\u2019s table of tokens, row of ${store.row_in_words(tensor, row)}: learned, the same in every text`;
  if (tensor.name === "position_embedding") return `the model\u2019s table of positions, row ${tensor.token_of(row)}: learned, the same in every text`;
  if (tensor.rows_are_tokens || tensor.axes[0] === "depth") return "recorded as the run left it; what made it is not in this file";
  return "a parameter of the model: learned in training, the same in every text";
}
