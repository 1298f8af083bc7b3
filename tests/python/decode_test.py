"""limelight.decode: against the definition in float64, contiguous, paged and int8; and its mistakes."""

import unittest

import numpy as np

import limelight

RANDOM = np.random.default_rng(13)


def normal(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def definition(query, key, value, lengths):
    """Causal at the bottom right, in float64."""
    group, count = query.shape[1] // key.shape[1], query.shape[2]
    key, value = np.repeat(key, group, 1).astype(np.float64), np.repeat(value, group, 1)
    scores = query.astype(np.float64) @ key.swapaxes(2, 3) / np.sqrt(query.shape[3])
    places = np.asarray(lengths)[:, None] - count + np.arange(count)
    visible = np.arange(key.shape[2]) <= places[:, None, :, None]
    weights = np.exp(np.where(visible, scores, -np.inf))
    return weights / weights.sum(-1, keepdims=True) @ value.astype(np.float64)


class Decode(unittest.TestCase):
    def setUp(self):
        self.query, self.key, self.value = normal(3, 8, 2, 64), normal(3, 2, 1200, 64), normal(3, 2, 1200, 48)
        self.lengths = np.array([1200, 77, 913])
        self.expected = definition(self.query, self.key, self.value, self.lengths)
        self.options = {"key_lengths": self.lengths, "causal": "bottom_right"}

    def pages(self, block_size):
        most = -(-1200 // block_size)
        table = RANDOM.permutation(3 * most).astype(np.int32).reshape(3, most)

        def page(x):
            padded = np.full((3, 2, most * block_size, x.shape[3]), np.nan, np.float32)
            padded[:, :, :1200] = x
            blocks = padded.reshape(3, 2, most, block_size, -1).transpose(0, 2, 1, 3, 4)
            pages = np.empty((3 * most, *blocks.shape[2:]), np.float32)
            pages[table] = blocks
            return pages

        return page(self.key), page(self.value), table

    def test_contiguous(self):
        out, lse = limelight.decode(self.query, self.key, self.value, return_lse=True, **self.options)
        np.testing.assert_allclose(out, self.expected, atol=2e-6)
        self.assertEqual(lse.shape, (3, 8, 2))
        half = limelight.decode(*(x.astype(np.float16) for x in (self.query, self.key, self.value)),
                                **self.options)
        self.assertEqual(half.dtype, np.float16)
        np.testing.assert_allclose(half, self.expected, atol=3e-3)

    def test_paged_in_either_layout(self):
        expected = limelight.decode(self.query, self.key, self.value, **self.options)
        for block_size in (16, 256):
            key, value, table = self.pages(block_size)
            out = limelight.decode(self.query, key, value, block_table=table, **self.options)
            np.testing.assert_array_equal(out, expected)
            key, value = (np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)
                          for x in (key, value))
            out = limelight.decode(self.query, key, value, block_table=table, **self.options)
            np.testing.assert_array_equal(out, expected)

    def test_int8(self):
        def quantised(x):
            scales = np.abs(x).max(-1) / 127
            return np.rint(x / scales[..., None]).astype(np.int8), scales

        (key, key_scales), (value, value_scales) = quantised(self.key), quantised(self.value)
        out = limelight.decode(self.query, key, value, key_scales=key_scales,
                               value_scales=value_scales, **self.options)
        expected = definition(self.query, key * key_scales[..., None], value * value_scales[..., None],
                              self.lengths)
        np.testing.assert_allclose(out, expected, atol=2e-6)
        np.testing.assert_allclose(out, self.expected, atol=0.05)

    def test_errors_name_the_argument(self):
        q, k, v = self.query, self.key, self.value
        wrong = (
            ("query", lambda: limelight.decode(normal(3, 8, 17, 64), k, v)),
            ("query", lambda: limelight.decode(q.astype(np.float64), k, v)),
            ("key", lambda: limelight.decode(q, k[..., :8], v)),
            ("key_scales", lambda: limelight.decode(q, k.astype(np.int8), v.astype(np.int8))),
            ("key_lengths", lambda: limelight.decode(q, k, v, key_lengths=np.array([1, 2, 1201]))),
            ("block_table", lambda: limelight.decode(q, k, v, block_table=np.array([[0], [1], [3]]))),
            ("out", lambda: limelight.decode(q, k, v, out=q)),
        )
        for name, call in wrong:
            with self.subTest(name), self.assertRaisesRegex(limelight.Error, name):
                call()


if __name__ == "__main__":
    unittest.main()
