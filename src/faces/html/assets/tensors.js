// The tensors of the run, as the engine left them. Nothing here computes one.

/// float32 numbers out of base64 of their little-endian bytes.
function decoded(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
  return new Float32Array(bytes.buffer);
}

export class Tensor {
  constructor(name, entry) {
    this.name = name;
    this.axes = entry.axes;
    [this.rows, this.columns] = entry.shape;
    this.recipe = entry.recipe ?? { operation: "given", operands: [] };
    this.proof = entry.proof ?? null;
    this.kept = entry.rows ?? null;
    this.data = entry.data;
    this.memo = {};
  }

  get values() {
    return (this.memo.values ??= decoded(this.data));
  }
  at(row, column) {
    return this.values[row * this.columns + column];
  }
  row(index) {
    return this.values.subarray(index * this.columns, (index + 1) * this.columns);
  }
  /// The token of a row; the row of a token, -1 where it was not kept.
  token_of(row) {
    return this.kept ? this.kept[row] : row;
  }
  row_of(token) {
    if (this.kept) return this.kept.indexOf(token);
    return token < this.rows ? token : -1;
  }
  get rows_are_tokens() {
    return this.axes[0] === "token";
  }
  get is_attention() {
    return this.axes[1] === "key_token";
  }

  /// The largest finite size, by which colours are scaled.
  get scale() {
    if (this.memo.scale === undefined) {
      let largest = 0;
      for (const x of this.values) if (Math.abs(x) > largest && Number.isFinite(x)) largest = Math.abs(x);
      this.memo.scale = largest;
    }
    return this.memo.scale;
  }

  /// "scores" of "layer.2.head.1.scores", and "layer 2, head 1".
  get short_name() {
    return this.name.replace(/^layer\.\d+\.(head\.\d+\.)?/, "").replaceAll("_", " ").replaceAll(".", " ");
  }
  get place() {
    return place_of(this.name);
  }
}

export function place_of(name) {
  const found = /^layer\.(\d+)\.(?:head\.(\d+)\.)?/.exec(name);
  if (!found) return "";
  return `layer ${found[1]}` + (found[2] === undefined ? "" : `, head ${found[2]}`);
}

export class TensorStore {
  constructor(story) {
    this.tokens = story.tokens.map(readable_token);
    this.tensors = new Map();
    for (const [name, entry] of Object.entries(story.tensors)) this.tensors.set(name, new Tensor(name, entry));
  }

  /// null where the file does not hold it.
  find(name) {
    return this.tensors.get(name) ?? null;
  }

  row_label(tensor, row) {
    if (tensor.rows_are_tokens) return this.tokens[tensor.token_of(row)] ?? String(row);
    return tensor.axes[0] === "row" ? "" : String(row);
  }
  column_label(tensor, column) {
    return tensor.is_attention ? this.tokens[column] : String(column);
  }
  /// In words: "\u201clight\u201d, token 10", "column 7".
  row_in_words(tensor, row) {
    if (tensor.rows_are_tokens) return this.token_in_words(tensor.token_of(row));
    return tensor.axes[0] === "row" ? "its one row" : `row ${row}`;
  }
  column_in_words(tensor, column) {
    return tensor.is_attention ? this.token_in_words(column) : `column ${column}`;
  }
  token_in_words(token) {
    return `\u201c${this.tokens[token]}\u201d, token ${token}`;
  }

  /// Whether a weight is 0, or a score minus infinity, because the mask says so.
  is_masked(tensor, row, column) {
    if (tensor.recipe.operation === "causal_mask") return tensor.at(row, column) === -Infinity;
    if (tensor.recipe.operation !== "softmax") return false;
    const scores = this.find(tensor.recipe.operands[0]);
    if (!scores) return false;
    const same = scores.row_of(tensor.token_of(row));
    return same >= 0 && scores.at(same, column) === -Infinity;
  }
}

/// What each token adds to the text that is readable so far: the last token of a character that
/// several make gives the character, those before it nothing.
export function readable_pieces(tokens) {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  return tokens.map((token) => decoder.decode(token.bytes ? new Uint8Array(token.bytes) : encoder.encode(token.text), { stream: true }));
}

/// A token as a person reads it: without the blank that begins a word; bytes that are no text as
/// hexadecimal digits.
export function readable_token(token) {
  if (token.bytes) return token.bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const text = token.text.replaceAll("\n", "\u23ce").replaceAll("\t", "\u21e5");
  if (text.length > 1 && text.startsWith(" ")) return text.slice(1);
  return text === " " ? "\u2423" : text;
}
