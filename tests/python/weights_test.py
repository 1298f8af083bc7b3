"""limelight.attention_weights: every question against the definition in float64, and its mistakes."""

import unittest

import numpy as np

import limelight

RANDOM = np.random.default_rng(11)


def normal(*shape, dtype=np.float32):
    return RANDOM.standard_normal(shape).astype(dtype)


class Weights(unittest.TestCase):
    def setUp(self):
        self.query, self.key, self.value = normal(2, 4, 37, 16), normal(2, 2, 150, 16), normal(2, 2, 150, 8)
        self.options = {"causal": "bottom_right", "softcap": 3.0, "sinks": normal(4),
                        "window": (100, None)}
        self.out, self.lse = limelight.attention(self.query, self.key, self.value, return_lse=True,
                                                 **self.options)
        scores = self.query.astype(np.float64) @ np.repeat(self.key, 2, 1).astype(
            np.float64).swapaxes(-1, -2) / 4
        i, j = np.ogrid[:37, :150]
        visible = (j <= i + 113) & (j >= i + 113 - 100)
        scores = np.where(visible, 3 * np.tanh(scores / 3), -np.inf)
        self.expected = np.exp(scores - self.lse[..., None].astype(np.float64))

    def ask(self, **question):
        return limelight.attention_weights(self.query, self.key, self.lse, **question, **self.options)

    def close(self, found, expected):
        self.assertEqual(found.dtype, np.float32)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-30)

    def test_rows_columns_and_tiles(self):
        self.close(self.ask(rows=[36, 0, 5]), self.expected[:, :, [36, 0, 5]])
        self.close(self.ask(columns=np.array([149, 3])), self.expected[..., [149, 3]])
        self.close(self.ask(rows=[1, 30], columns=[120, 60, 120]),
                   self.expected[:, :, [1, 30]][..., [120, 60, 120]])
        self.close(self.ask(tile=((3, 9), (20, 149))), self.expected[:, :, 3:9, 20:149])
        self.assertEqual(self.ask(rows=[]).shape, (2, 4, 0, 150))

    def test_they_are_what_attention_used(self):
        weights = self.ask(rows=range(37))
        np.testing.assert_allclose(weights @ np.repeat(self.value, 2, 1), self.out, atol=1e-5)
        share_of_sink = np.exp(self.options["sinks"][:, None] - self.lse)
        np.testing.assert_allclose(weights.sum(-1) + share_of_sink, 1, atol=1e-5)

    def test_top_k(self):
        top = self.ask(top_k=5)
        order = np.argsort(-self.expected, axis=-1, kind="stable")[..., :5]
        np.testing.assert_array_equal(top.indices, order)
        self.close(top.weights, np.take_along_axis(self.expected, order, -1))
        few = limelight.attention_weights(self.query, self.key, self.lse, top_k=3, **{
            **self.options, "window": (0, 0)})
        np.testing.assert_array_equal(few.indices[..., 1:], -1)
        np.testing.assert_array_equal(few.weights[..., 1:], 0)

    def test_sums_and_entropy(self):
        np.testing.assert_allclose(self.ask(column_sums=True), self.expected.sum(2), rtol=1e-5)
        logarithms = np.log(self.expected, where=self.expected > 0, out=np.zeros_like(self.expected))
        np.testing.assert_allclose(self.ask(entropy=True), -(self.expected * logarithms).sum(-1),
                                   rtol=1e-5, atol=1e-5)

    def test_pictures(self):
        tile = self.expected[:, :, 1:37, 30:150]
        for pooling in ("mean", "max"):
            pool = getattr(np, pooling)
            self.close(self.ask(pooled=(9, 8), tile=((1, 37), (30, 150)), pooling=pooling),
                       pool(tile.reshape(2, 4, 9, 4, 8, 15), axis=(3, 5)))
        whole = self.ask(pooled=(7, 11)).astype(np.float64)
        np.testing.assert_allclose(whole.mean((2, 3)), self.expected.mean((2, 3)), rtol=1e-6)
        enlarged = self.ask(pooled=(74, 450))
        self.close(enlarged, self.expected.repeat(2, 2).repeat(3, 3))

    def test_double(self):
        arrays = [x.astype(np.float64) for x in (self.query, self.key, self.value)]
        options = {**self.options, "sinks": self.options["sinks"].astype(np.float64)}
        _, lse = limelight.attention(*arrays, return_lse=True, **options)
        found = limelight.attention_weights(arrays[0], arrays[1], lse, rows=[4], **options)
        self.assertEqual(found.dtype, np.float64)
        np.testing.assert_allclose(found, self.expected[:, :, [4]], rtol=1e-4)
        self.assertEqual(self.ask(rows=[4], dtype=np.float64).dtype, np.float64)

    def test_errors_name_the_argument(self):
        wrong = (
            ("one question, got none", {}),
            ("one question, got top_k, entropy", {"top_k": 3, "entropy": True}),
            ("rows", {"rows": [37]}),
            ("columns", {"columns": [-1]}),
            ("rows", {"rows": [0.5]}),
            ("tile", {"tile": (3, 4)}),
            ("tile", {"tile": ((0, -1), (0, 3))}),
            ("columns", {"tile": ((0, 3), (0, 151))}),
            ("top_k", {"top_k": -1}),
            ("pooling", {"pooled": (3, 3), "pooling": "median"}),
            ("pooled", {"pooled": 3}),
            ("out", {"entropy": True, "dtype": np.float16}),
        )
        for name, question in wrong:
            with self.subTest(question), self.assertRaisesRegex(limelight.Error, name):
                self.ask(**question)
        with self.assertRaisesRegex(limelight.Error, "lse"):
            limelight.attention_weights(self.query, self.key, self.lse[0], entropy=True)


if __name__ == "__main__":
    unittest.main()
