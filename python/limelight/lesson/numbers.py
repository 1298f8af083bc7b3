"""Numbers laid out to be read, and compared with a book's."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from .exercise import Verdict


def effective_words(weights: Any) -> np.ndarray:
    """exp of the entropy of each row of weights [..., words]: how many words it attends to, in
    effect. 1 where one word has it all, the number of words where all have the same."""
    weights = np.asarray(weights, dtype=np.float64)
    logarithms = np.log(np.where(weights > 0, weights, 1))
    return np.exp(-(weights * logarithms).sum(-1))


def terms(x: Any, y: Any, digits: int = 4) -> str:
    """A dot product written out: "0.55 x 0.43 + 0.87 x 0.15 = 0.3670"."""
    x, y = (np.asarray(v, dtype=np.float64) for v in (x, y))
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"terms: expected two vectors of one length, got shapes {x.shape} and {y.shape}")

    def short(number: float) -> str:
        text = f"{number:.{digits}f}".rstrip("0").rstrip(".")
        return f"({text})" if text.startswith("-") else text

    products = " + ".join(f"{short(a)} × {short(b)}" for a, b in zip(x, y))
    return f"{products} = {float(x @ y):.{digits}f}"


class Table:
    """A labelled matrix that shows itself as text."""

    def __init__(self, lines: list[str]):
        self._lines = lines

    def __repr__(self) -> str:
        return "\n".join(self._lines)


def matrix(values: Any, rows: Sequence[str] = (), columns: Sequence[str] = (), title: str = "",
           digits: int = 4) -> Table:
    """A vector or a matrix with its labels, every number with `digits` digits after the point."""
    values = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if values.ndim != 2:
        raise ValueError(f"matrix: expected a vector or a matrix, got {values.ndim} axes")
    for labels, count, axis in ((rows, values.shape[0], "rows"), (columns, values.shape[1], "columns")):
        if len(labels) not in (0, count):
            raise ValueError(f"matrix: expected {count} labels for the {axis}, got {len(labels)}")
    cells = [[f"{number + 0.0:.{digits}f}" for number in row] for row in values]
    width = max([len(cell) for row in cells for cell in row] + [len(label) for label in columns])
    margin = max([len(label) for label in rows], default=0)
    lines = [title] if title else []
    if len(columns):
        lines.append(" " * margin + "".join(f"  {label:>{width}}" for label in columns))
    for index, row in enumerate(cells):
        label = rows[index] if len(rows) else ""
        lines.append(f"{label:<{margin}}" + "".join(f"  {cell:>{width}}" for cell in row))
    return Table([line.rstrip() for line in lines])


def agrees_with_print(values: Any, printed: str) -> Verdict:
    """Compares numbers with numbers that a book printed, separated by spaces: each within half a unit
    of its last printed digit."""
    words = printed.split()
    values = np.asarray(values, dtype=np.float64).ravel()
    if len(words) != len(values):
        raise ValueError(f"agrees_with_print: {len(values)} values, {len(words)} printed")
    wrong = [(value, word) for value, word in zip(values, words)
             if not abs(value - float(word)) <= half_a_unit(word) * (1 + 1e-9)]
    if wrong:
        value, word = wrong[0]
        return Verdict(False, f"{len(wrong)} of {len(words)} numbers are not the printed ones: "
                              f"{value:.6g} here, {word} in print.")
    return Verdict(True, f"{len(words)} of {len(words)} numbers are the printed ones, to the last digit.")


def half_a_unit(printed: str) -> float:
    """Half a unit of the last digit of a printed number: "0.9544" gives 0.00005."""
    mantissa, _, exponent = printed.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - decimals)
