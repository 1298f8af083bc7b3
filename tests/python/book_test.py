"""The worked numbers of a textbook chapter, recomputed from its seeds through limelight.attention.

S. Raschka, Build a Large Language Model (From Scratch), chapter 3. Random weights are had from the
seeds as chapter3.json says; NumPy's RandomState is the same Mersenne Twister. The chapter's dropout draws
by another generator than ours, by definition: its masks are made here, of the same bits.
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

    def bits(self, count):
        return self.state.randint(0, 2**32, size=count, dtype=np.uint32)

    def uniform(self, count):
        return (self.bits(count) & 0xFFFFFF).astype(np.float32) * np.float32(2.0**-24)

    def rand(self, rows, columns):
        return self.uniform(rows * columns).reshape(rows, columns).astype(np.float64)

    def linear(self, inputs, outputs):
        """nn.Linear(inputs, outputs, bias=False).weight, transposed: x @ it."""
        return self.within(inputs, inputs * outputs).reshape(outputs, inputs).T

    def bias(self, inputs, outputs):
        """The bias of the nn.Linear whose weight was just drawn."""
        return self.within(inputs, outputs)

    def within(self, inputs, count):
        bound = np.float32(1 / np.sqrt(inputs))
        return (self.uniform(count) * (2 * bound) - bound).astype(np.float64)

    def normal(self, rows, columns):
        """torch.randn, nn.Embedding, of 16 numbers or more: Box and Muller's, in blocks of 16; what is
        over is drawn again as the last block."""
        count = rows * columns
        numbers = self.uniform(count).astype(np.float64)
        for begin in range(0, count - 15, 16):
            numbers[begin:begin + 16] = box_muller(numbers[begin:begin + 16])
        if count % 16:
            numbers[-16:] = box_muller(self.uniform(16).astype(np.float64))
        return numbers.reshape(rows, columns)

    def dropout(self, shape, rate):
        """nn.Dropout's mask where PyTorch is built without MKL: 0, or 1 / (1 - rate)."""
        bits = self.bits(2 * int(np.prod(shape))).astype(np.uint64)
        draws = ((bits[0::2] << np.uint64(32) | bits[1::2]) & np.uint64(2**53 - 1)) * 2.0**-53
        return (draws < 1 - rate).reshape(shape) / (1 - rate)

    def mkl_dropout(self, shape, rate):
        """The same where it is built with MKL: a multiplicative congruential stream."""
        modulus = 2**31 - 1
        state = int(self.bits(1)[0]) % modulus
        kept = []
        for _ in range(int(np.prod(shape))):
            kept.append(state / modulus < 1 - rate)
            state = 1132489760 * state % modulus
        return np.array(kept).reshape(shape) / (1 - rate)


def box_muller(uniforms):
    radius = np.sqrt(-2 * np.log(1 - uniforms[:8]))
    angle = 2 * np.pi * uniforms[8:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])


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


def simple_numbers(inputs):
    """Attention without any matrix."""
    plain = weights(inputs, inputs, softmax_scale=1.0)
    contexts = attend(inputs, inputs, inputs, softmax_scale=1.0)
    all_scores = scores(inputs, inputs)
    return {
        "simple.scores": all_scores,
        "simple.scores_2": all_scores[1],
        "simple.dot_21": all_scores[1, 0],
        "simple.weights_2_sum_normalised": all_scores[1] / all_scores[1].sum(),
        "simple.weights_2_softmax_naive": plain[1],
        "simple.weights_2_softmax": plain[1],
        "simple.weights": plain,
        "simple.contexts": contexts,
        "simple.context_2": contexts[1],
    }


def one_head_numbers(inputs):
    """Query, key and value: matrices by torch.rand, then by nn.Linear, then causal, then with dropout."""
    draws = Draws(123)
    query, key, value = (inputs @ draws.rand(3, 2) for _ in range(3))
    first = attend(query, key, value)
    found = {
        "qkv123.query_2": query[1],
        "qkv123.key_2": key[1],
        "qkv123.value_2": value[1],
        "qkv123.scores_2": scores(query, key)[1],
        "qkv123.score_22": scores(query, key)[1, 1],
        "qkv123.weights_2_scaled": weights(query, key)[1],
        "qkv123.context_2": first[1],
        "SelfAttention_v1.out": first,
    }
    draws = Draws(789)
    query, key, value = (inputs @ draws.linear(3, 2) for _ in range(3))
    causal = weights(query, key, causal="top_left")
    found |= {
        "SelfAttention_v2.out": attend(query, key, value),
        "v2_789.weights": weights(query, key),
        "causal.tril": np.tri(6),
        "causal.masked_after_softmax": weights(query, key) * np.tri(6),
        "causal.weights": causal,
        "dropout.ones": Draws(123).dropout((6, 6), 0.5),
        "dropout.ones.mkl_platforms": Draws(123).mkl_dropout((6, 6), 0.5),
        "dropout.weights": causal * Draws(123).dropout((6, 6), 0.5),
    }
    return found


def many_head_numbers(inputs):
    """Heads beside each other, each with matrices of its own; and as one wide layer with its output
    matrix. The batch is the sentence twice."""
    draws = Draws(123)
    found, heads = {}, []
    for head in range(2):
        matrices = [draws.linear(3, 2) for _ in range(3)]
        for name, matrix in zip(("W_query", "W_key", "W_value"), matrices):
            found[f"mhaw123.head{head}.{name}"] = matrix.T
        heads.append(attend(*(inputs @ matrix for matrix in matrices), causal="top_left"))
    found["CausalAttention.out"] = np.stack([heads[0]] * 2)
    found["MultiHeadAttentionWrapper.out"] = np.stack([np.concatenate(heads, 1)] * 2)

    draws = Draws(123)
    split = [(inputs @ draws.linear(3, 2)).reshape(6, 2, 1).transpose(1, 0, 2)[None] for _ in range(3)]
    joined = limelight.attention(*split, causal="top_left")[0].transpose(1, 0, 2).reshape(6, 2)
    found["MultiHeadAttention.out"] = np.stack([joined @ draws.linear(2, 2) + draws.bias(2, 2)] * 2)

    draws = Draws(123)
    narrow = [attend(*(inputs @ draws.linear(3, 1) for _ in range(3)), causal="top_left")
              for _ in range(2)]
    found["exercise3.2.out_correct"] = np.stack([np.concatenate(narrow, 1)] * 2)

    width, biases = 768, 768
    found["exercise3.3.params"] = np.float64(4 * width * width + biases)
    return found


def recompute(inputs):
    """Every number of the chapter that can be, by the id of its entry."""
    tables = {f"ch02.embedding_{rows}x{columns}": Draws(123).normal(rows, columns)
              for rows, columns in ((6, 3), (4, 5))}
    return tables | simple_numbers(inputs) | one_head_numbers(inputs) | many_head_numbers(inputs)


# Not results: what the chapter types in, and the output that is the mark of a mistake.
NOT_COMPUTED = ("inputs", "batched_matmul.a", "exercise3.2.out_printed_STALE")


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

    def test_every_number(self):
        found = recompute(self.inputs)
        compared = 0
        for name, printed in self.printed.items():
            if name in NOT_COMPUTED:
                continue
            with self.subTest(name):
                if name not in found:
                    self.skipTest(f"{name}: nothing here recomputes it")
                off = np.abs(found[name] - as_numbers(printed))
                self.assertTrue((off <= half_units(printed) * (1 + 1e-9)).all(), off.max())
                compared += np.size(found[name])
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
