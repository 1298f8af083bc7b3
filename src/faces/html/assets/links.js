// What belongs together lights up together: a cell of the scores, its row of the queries and its
// row of the keys; a word of the sentence and its rows wherever they are shown.

/// Operations that make a cell of the one cell of their operand in the same place.
const kCellByCell = new Set(["scale", "causal_mask", "softmax", "share_of_sum", "gelu_tanh", "gelu_exact", "add"]);

/// Where a tensor came out of a product: itself, or what it was scaled, masked and shared out from.
function product_behind(store, tensor) {
  let found = tensor;
  while (found && kCellByCell.has(found.recipe.operation) && found.recipe.operation !== "add") {
    found = store.find(found.recipe.operands[0]);
  }
  return found && ["linear", "dot_rows"].includes(found.recipe.operation) ? found : null;
}

function same_family(store, a, b) {
  return a === b || (product_behind(store, a) !== null && product_behind(store, a) === product_behind(store, b));
}

/// Which rows and columns of `shown` belong to a cell that is pointed at: {row, column}, either of
/// them null, and null where none does. Rows are rows of the tensor.
export function marks_for(store, shown, pointed) {
  if (pointed.token !== undefined) return marks_of_token(shown, pointed.token);
  const tensor = store.find(pointed.tensor);
  if (!tensor) return null;
  const token = tensor.rows_are_tokens ? tensor.token_of(pointed.row) : null;
  const row_here = token === null ? pointed.row : shown.row_of(token);
  if (same_family(store, shown, tensor)) return { row: row_here, column: pointed.column };

  const made = product_behind(store, tensor);
  if (made) {
    const [x, y] = made.recipe.operands;
    const by_rows = made.recipe.operation === "dot_rows";
    if (shown.name === x && shown.name === y) return { row: [row_here, pointed.column], column: null };
    if (shown.name === x) return { row: row_here, column: null };
    if (shown.name === y) return by_rows ? { row: pointed.column, column: null } : { row: null, column: pointed.column };
  }
  const product = product_behind(store, shown);
  if (product) {
    const [x, y] = product.recipe.operands;
    if (tensor.name === x) return { row: row_here, column: null };
    if (tensor.name === y) return { row: null, column: product.recipe.operation === "dot_rows" ? pointed.row : pointed.column };
  }
  return token !== null && shown.rows_are_tokens ? { row: row_here, column: null } : null;
}

function marks_of_token(shown, token) {
  return {
    row: shown.rows_are_tokens ? shown.row_of(token) : null,
    column: shown.is_attention ? token : null,
  };
}

/// Views register here; whoever is pointed at tells all of them. A pinned cell (the opened one)
/// stays lit while nothing else is pointed at.
export class Links {
  constructor(store) {
    this.store = store;
    this.views = new Set();
    this.pinned = null;
    this.pointed = null;
  }
  add(view) {
    this.views.add(view);
  }
  clear() {
    this.views.clear();
  }
  /// {tensor, row, column}, {token}, or null for nothing.
  point(pointed) {
    this.pointed = pointed;
    this.show();
  }
  pin(pinned) {
    this.pinned = pinned;
    this.show();
  }
  show() {
    const lit = this.pointed ?? this.pinned;
    for (const view of this.views) view.mark(lit);
  }
  /// The tokens that ask and are asked about, for the sentence.
  tokens_of(pointed) {
    if (!pointed) return { asking: null, asked: null };
    if (pointed.token !== undefined) return { asking: pointed.token, asked: null };
    const tensor = this.store.find(pointed.tensor);
    return {
      asking: tensor?.rows_are_tokens ? tensor.token_of(pointed.row) : null,
      asked: tensor?.is_attention ? pointed.column : null,
    };
  }
}
