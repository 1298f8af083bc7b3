// How numbers are written. Each has a short form, for tables, and all of its digits.

const kMinus = "\u2212";

/// Words for what is no finite number; null for what is.
function not_finite(x) {
  if (Number.isNaN(x)) return "not a number";
  if (x === Infinity) return "\u221e";
  if (x === -Infinity) return kMinus + "\u221e";
  return null;
}

function with_minus(text) {
  return text.replaceAll("-", kMinus);
}

/// The fewest digits that read back to the same float32.
export function digits_of_float(x) {
  const word = not_finite(x);
  if (word !== null) return word;
  for (let precision = 1; precision < 9; ++precision) {
    const shorter = Number(x.toPrecision(precision));
    if (Math.fround(shorter) === x) return with_minus(String(shorter));
  }
  return with_minus(String(Number(x.toPrecision(9))));
}

/// The fewest digits that read back to the same double.
export function digits_of_double(x) {
  return not_finite(x) ?? with_minus(String(x));
}

function scientific(x, digits) {
  return with_minus(x.toExponential(digits).replace("e+", "e"));
}

/// At most `room` characters: as many decimals as fit, up to `decimals`; where there is little
/// room, without the zero before the point; where none of the decimals would say anything, as a
/// power of ten.
export function fitted(x, room, decimals = 4) {
  const word = not_finite(x);
  if (word !== null) return word.length <= room ? word : "NaN";
  if (x === 0) return "0";
  for (let count = decimals; count >= 0; --count) {
    let text = x.toFixed(count);
    if (room <= 4 && count > 0) text = text.replace(/^(-?)0\./, "$1.");
    if (text.length > room) continue;
    if (Number(text) !== 0) return with_minus(text);
    const power = scientific(x, 0);
    return power.length <= room ? power : with_minus(text);
  }
  return scientific(x, 0);
}

/// About five significant digits, for lists and facts.
export function short_number(x) {
  const word = not_finite(x);
  if (word !== null) return word;
  const size = Math.abs(x);
  if (x === 0) return "0";
  if (Number.isInteger(x) && size < 1e6) return with_minus(String(x));
  if (size < 1e-3) return scientific(x, 1);
  if (size >= 1e9) return scientific(x, 2);
  if (size >= 1e3) return with_minus(Math.round(x).toLocaleString("en-US").replaceAll(",", "\u202f"));
  return with_minus(x.toFixed(size < 10 ? 4 : 2));
}

/// Seconds as a person says them: "12 ms".
export function duration(seconds) {
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  if (seconds >= 1e-3) return `${(seconds * 1e3).toFixed(seconds < 1e-2 ? 1 : 0)} ms`;
  return `${(seconds * 1e6).toFixed(0)} \u00b5s`;
}
