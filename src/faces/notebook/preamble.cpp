#include "faces/notebook/preamble.h"

namespace limelight {

const char* const kNotebookPreamble = R"py(import base64
import math

import numpy as np

# The run computed in float32, which carries seven digits; long sums lose a few of them.
TOLERANCE = 1e-4  # of a tensor's largest number

t = {}  # the run's tensors, by name, widened to float64
tokens_of = {}  # the tokens that a tensor's rows are
for name, (shape, rows, data) in STORED.items():
    t[name] = np.frombuffer(base64.b64decode(data), "<f4").reshape(shape).astype(np.float64)
    tokens_of[name] = list(range(shape[0])) if rows is None else rows
agreed = {}  # the relative difference of each tensor that was computed again
disagreed = []  # those that do not come out, in a run that is wrong on purpose


def agree(name, computed):
    """Asserts that the run's tensor is what was computed here from the tensors before it."""
    recorded = t[name]
    assert computed.shape == recorded.shape, f"{name}: {recorded.shape} recorded, {computed.shape} computed"
    with np.errstate(invalid="ignore"):
        differences = np.where(recorded == computed, 0, np.abs(computed - recorded))
    differences[np.isnan(differences)] = np.inf
    largest = np.abs(recorded[np.isfinite(recorded)]).max(initial=0)
    worst = np.unravel_index(differences.argmax(), differences.shape)
    there = (f"{name}, row {worst[0]}, column {worst[1]}: {recorded[worst]:.7g} recorded, "
             f"{computed[worst]:.7g} computed")
    if differences[worst] <= TOLERANCE * largest:
        agreed[name] = differences[worst] / largest if largest else 0.0
        print(f"{name} agrees; largest difference {differences[worst]:.1e}, largest number {largest:.3g}")
    else:
        assert BUG is not None, there
        disagreed.append(there)
        print("DOES NOT AGREE:", there)


def rows_of(name, like):
    """The rows of a tensor for the tokens that another keeps."""
    return t[name][[tokens_of[name].index(token) for token in tokens_of[like]]]


def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def hide_the_future(scores, tokens):
    keys = np.arange(scores.shape[1])
    return np.where(keys <= np.array(tokens)[:, None], scores, -np.inf)


def standardise(x, epsilon):
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)


def gelu_tanh(x):
    return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def gelu_exact(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


COLUMNS_A_LINE = 8  # what a page has room for


def show(name, labels="", token=None):
    """Prints a tensor's rows, or a token's alone; rows, or rows and columns, named by their tokens."""
    columns = min(t[name].shape[1], 24)
    rows = range(len(t[name])) if token is None else [tokens_of[name].index(token)]
    for first in range(0, columns, COLUMNS_A_LINE):
        part = range(first, min(first + COLUMNS_A_LINE, columns))
        heads = [TOKENS[column].strip() if labels == "both" else str(column) for column in part]
        print(" " * 14, "".join(f"{head[:9]:>10}" for head in heads))
        for row in rows:
            place = repr(TOKENS[tokens_of[name][row]]) if labels else str(row)
            print(f"{place[:14]:>14}", "".join(f"{x:10.4f}" for x in t[name][row, part]))
    if t[name].shape[1] > columns:
        print(f"... {t[name].shape[1]} numbers in a row")
)py";

const char* const kNotebookInvariants = R"py(for name in t:
    kind = name.rpartition(".")[2]
    if kind in ("weights", "unscaled_weights", "unmasked_weights"):
        assert np.allclose(t[name].sum(axis=1), 1, atol=1e-5), f"{name}: a row does not sum to 1"
    if kind == "weights" and name.startswith("layer."):
        future = np.isneginf(hide_the_future(np.zeros_like(t[name]), tokens_of[name]))
        assert (t[name][future] == 0).all(), f"{name}: a masked weight is not exactly 0"
made = [name for name in t if name in MADE_FROM_OTHERS]
assert set(made) == set(agreed), "a tensor was not computed again"
print(f"{len(agreed)} tensors computed again and equal; the largest difference is "
      f"{max(agreed.values()):.1e} of its tensor's largest number; every row of weights sums to 1.")
)py";

const char* const kNotebookDamage =
    R"py(print(f"{BUG}: {len(agreed)} tensors come out, {len(disagreed)} do not")
print("\n".join(disagreed))
)py";

}  // namespace limelight
