"""The worked numbers of a textbook chapter, recomputed from its seeds through limelight.attention.

S. Raschka, Build a Large Language Model (From Scratch), chapter 3. Random weights are had from the
seeds as chapter3.json says; NumPy's RandomState is the same Mersenne Twister. The chapter's dropout is
another generator than ours by definition, and is left to its own.
"""

import json
import unittest

import numpy as np

import limelight
from conformance import ROOT

BOOK = ROOT / "book" / "chapter3.json"


class Draws:
    """torch's numbers after manual_seed, as the chapter's file describes them."""

    def __init__(self, seed):
        self.state = np.random.RandomState(seed)

    def uniform(self, count):
        bits = self.state.randint(0, 2**32, size=count, dtype=np.uint32)
        return (bits & 0xFFFFFF).astype(np.float32) * np.float32(2.0**-24)

    def rand(self, rows, columns):
        return self.uniform(rows * columns).reshape(rows, columns).astype(np.float64)

    def linear(self, inputs, outputs):
        """nn.Linear(inputs, outputs, bias=False).weight, transposed: x @ it."""
        bound = np.float32(1 / np.sqrt(inputs))
        weight = self.uniform(inputs * outputs) * (2 * bound) - bound
        return weight.reshape(outputs, inputs).T.astype(np.float64)


def attend(query, key, value, **options):
    """One head, [length, dim] in and out."""
    return limelight.attention(*(x[None, None] for x in (query, key, value)), **options)[0, 0]


def weights(query, key, **options):
    """Attending to unit vectors shows the weights."""
    return attend(query, key, np.eye(len(key)), **options)


def scores(query, key):
    """Attending to one key alone, lse is its score."""
    return np.stack([limelight.attention(query[None, None], key[None, None, j:j + 1],
                                         key[None, None, j:j + 1], softmax_scale=1.0,
                                         return_lse=True)[1][0, 0] for j in range(len(key))], 1)


def softmax_over_queries(scaled):
    """What the chapter's stale output is the mark of."""
    masked = np.where(np.tri(len(scaled), dtype=bool), scaled, -np.inf)
    exponentials = np.exp(masked - masked.max(0))
    return exponentials / exponentials.sum(0)


def recompute(inputs):
    """Every number of the chapter that attention makes, by the id of its entry."""
    found = {}
    plain = weights(inputs, inputs, softmax_scale=1.0)
    contexts = attend(inputs, inputs, inputs, softmax_scale=1.0)
    found["simple.scores"] = scores(inputs, inputs)
    found["simple.scores_2"] = found["simple.scores"][1]
    found["simple.dot_21"] = found["simple.scores"][1, 0]
    found["simple.weights_2_softmax_naive"] = found["simple.weights_2_softmax"] = plain[1]
    found["simple.weights"] = plain
    found["simple.contexts"], found["simple.context_2"] = contexts, contexts[1]

    draws = Draws(123)
    query, key, value = (inputs @ draws.rand(3, 2) for _ in range(3))
    found["qkv123.query_2"] = query[1]
    found["qkv123.scores_2"] = scores(query, key)[1]
    found["qkv123.score_22"] = found["qkv123.scores_2"][1]
    found["qkv123.weights_2_scaled"] = weights(query, key)[1]
    found["SelfAttention_v1.out"] = attend(query, key, value)
    found["qkv123.context_2"] = found["SelfAttention_v1.out"][1]

    draws = Draws(789)
    query, key, value = (inputs @ draws.linear(3, 2) for _ in range(3))
    found["SelfAttention_v2.out"] = attend(query, key, value)
    found["v2_789.weights"] = weights(query, key)
    found["causal.masked_after_softmax"] = weights(query, key) * np.tri(6)
    found["causal.weights"] = weights(query, key, causal="top_left")

    draws = Draws(123)
    heads = []
    for _ in range(2):
        query, key, value = (inputs @ draws.linear(3, 2) for _ in range(3))
        heads.append(attend(query, key, value, causal="top_left"))
    found["CausalAttention.out"] = np.stack([heads[0]] * 2)
    found["MultiHeadAttentionWrapper.out"] = np.stack([np.concatenate(heads, 1)] * 2)
    return found


def as_numbers(printed):
    return np.array(printed, dtype=np.float64)


def half_units(printed):
    """Half a unit of the last digit that is printed, for each number."""
    if isinstance(printed, list):
        return np.array([half_units(one) for one in printed])
    mantissa, _, exponent = printed.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - decimals)


class Book(unittest.TestCase):
    def setUp(self):
        if not BOOK.is_file():
            self.skipTest(f"{BOOK} is not there")
        entries = json.loads(BOOK.read_text())["entries"]
        self.printed = {entry["id"]: entry["printed"] for entry in entries}
        self.inputs = as_numbers(self.printed["inputs"])

    def test_every_number_that_attention_makes(self):
        found = recompute(self.inputs)
        compared = 0
        for name, values in found.items():
            if name not in self.printed:
                continue
            with self.subTest(name):
                off = np.abs(values - as_numbers(self.printed[name]))
                self.assertTrue((off <= half_units(self.printed[name]) * (1 + 1e-9)).all(), off.max())
                compared += np.size(values)
        self.assertGreater(compared, 200)

    def test_the_stale_output_is_the_mark_of_softmax_over_queries(self):
        stale = as_numbers(self.printed["exercise3.2.out_printed_STALE"])
        tolerance = half_units(self.printed["exercise3.2.out_printed_STALE"])
        draws = Draws(123)
        right, wrong = [], []
        for _ in range(2):
            query, key, value = (self.inputs @ draws.linear(3, 1) for _ in range(3))
            right.append(attend(query, key, value, causal="top_left"))
            wrong.append(softmax_over_queries(scores(query, key)) @ value)
        self.assertTrue((np.abs(np.concatenate(wrong, 1) - stale) <= tolerance * (1 + 1e-9)).all())
        self.assertGreater(np.abs(np.concatenate(right, 1) - stale).max(), 0.1)


if __name__ == "__main__":
    unittest.main()
