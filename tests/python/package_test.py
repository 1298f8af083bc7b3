"""The package as a person uses it: types, layouts, errors, PyTorch's semantics, threads."""

import threading
import unittest

import numpy as np

import limelight

RANDOM = np.random.default_rng(7)


def normal(*shape, dtype=np.float32):
    return RANDOM.standard_normal(shape).astype(dtype)


def softmax_attention(query, key, value, bias=0.0, scale=None):
    """The definition, in float64."""
    query, key, value = (x.astype(np.float64) for x in (query, key, value))
    scores = query @ np.swapaxes(key, -1, -2) * (scale or query.shape[-1] ** -0.5) + bias
    scores -= scores.max(-1, keepdims=True)
    weights = np.exp(scores)
    return weights / weights.sum(-1, keepdims=True) @ value


class Attention(unittest.TestCase):
    # Where bf16 is computed on tiles.
    on_tiles = limelight.instruction_set() in ("amx", "avx512_bf16")

    def setUp(self):
        self.query, self.key, self.value = normal(2, 4, 9, 16), normal(2, 2, 13, 16), normal(2, 2, 13, 8)
        self.expected = softmax_attention(self.query, np.repeat(self.key, 2, 1),
                                          np.repeat(self.value, 2, 1))

    def test_types(self):
        for dtype, tolerance in ((np.float64, 1e-14), (np.float32, 1e-6), (np.float16, 2e-3)):
            out = limelight.attention(*(x.astype(dtype) for x in (self.query, self.key, self.value)))
            self.assertEqual(out.dtype, dtype)
            np.testing.assert_allclose(out.astype(np.float64), self.expected, atol=tolerance)

    def test_bfloat16_as_bits(self):
        def as_floats(bits):
            return (bits.astype(np.uint32) << 16).view(np.float32)

        bits = [(x.view(np.uint32) >> 16).astype(np.uint16) for x in (self.query, self.key, self.value)]
        out = limelight.attention(*bits)
        self.assertEqual(out.dtype, np.uint16)
        query, key, value = (as_floats(x) for x in bits)
        expected = softmax_attention(query, np.repeat(key, 2, 1), np.repeat(value, 2, 1))
        # On tiles the weights are rounded to bf16 as well.
        weights = 2.0**-8 * np.abs(value).max() if self.on_tiles else 1e-6
        np.testing.assert_allclose(as_floats(out), expected, rtol=2.0**-8, atol=weights)

    def test_gradients_in_bfloat16(self):
        def as_floats(bits):
            return (bits.astype(np.uint32) << 16).view(np.float32)

        bits = [(x.view(np.uint32) >> 16).astype(np.uint16) for x in (self.query, self.key, self.value)]
        out, lse = limelight.attention(*bits, return_lse=True)
        found = limelight.attention_backward(*bits, out, lse, out)
        floats = [as_floats(x) for x in (*bits, out)]
        expected = limelight.attention_backward(*floats, lse, floats[-1])
        for name in ("query", "key", "value"):
            gradient, exact = getattr(found, name), getattr(expected, name)
            self.assertEqual(gradient.dtype, np.uint16)
            # On tiles the factors of each product are rounded to bf16 as well.
            terms = 2.0**-7 * np.abs(exact).max() if self.on_tiles else 1e-5
            np.testing.assert_allclose(as_floats(gradient), exact, rtol=2.0**-8, atol=terms)

    def test_either_layout_without_a_copy(self):
        query, key, value = (np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)
                             for x in (self.query, self.key, self.value))
        out = np.empty((2, 9, 4, 8), np.float32)
        result = limelight.attention(query, key, value, out=out.transpose(0, 2, 1, 3))
        self.assertTrue(np.shares_memory(result, out))
        np.testing.assert_allclose(result, self.expected, atol=1e-6)

    def test_reversed_and_broadcast_arrays(self):
        out = limelight.attention(self.query[..., ::-1], self.key[..., ::-1], self.value)
        np.testing.assert_allclose(out, self.expected, atol=1e-6)
        same = np.broadcast_to(self.query[:1], self.query.shape)
        np.testing.assert_array_equal(limelight.attention(same, self.key, self.value)[0],
                                      limelight.attention(self.query, self.key, self.value)[0])

    def test_lse_and_sinks(self):
        out, lse = limelight.attention(self.query, self.key, self.value, return_lse=True)
        sinks = np.zeros(4, np.float32)
        with_sink = limelight.attention(self.query, self.key, self.value, sinks=sinks)
        share = 1 / (1 + np.exp(-lse))
        np.testing.assert_allclose(with_sink, out * share[..., None], atol=1e-6)

    def test_anything_with_dlpack(self):
        class Foreign:
            def __init__(self, array):
                self.array = array

            def __dlpack__(self, **options):
                return self.array.__dlpack__(**options)

            def __dlpack_device__(self):
                return self.array.__dlpack_device__()

        out = limelight.attention(Foreign(self.query), Foreign(self.key), Foreign(self.value))
        np.testing.assert_allclose(np.from_dlpack(out), self.expected, atol=1e-6)

    def test_gradients_are_those_of_differences(self):
        query, key, value, grad = (normal(1, 2, 3, 4, dtype=np.float64) for _ in range(4))
        bias = normal(2, 3, 3, dtype=np.float64)
        options = {"causal": "top_left", "softcap": 2.0, "bias": bias}
        out, lse = limelight.attention(query, key, value, return_lse=True, **options)
        gradients = limelight.attention_backward(query, key, value, out, lse, grad, **options)
        for array, gradient in ((query, gradients.query), (key, gradients.key),
                                (value, gradients.value), (bias, gradients.bias)):
            for index in np.ndindex(*array.shape):
                here, losses = array[index], []
                for step in (1e-6, -1e-6):
                    array[index] = here + step
                    losses.append((limelight.attention(query, key, value, **options) * grad).sum())
                array[index] = here
                self.assertAlmostEqual(gradient[index], (losses[0] - losses[1]) / 2e-6, places=7)

    def test_dropout_by_seed(self):
        arguments = (self.query, self.key, self.value)
        first = limelight.attention(*arguments, dropout=0.5, dropout_seed=3)
        np.testing.assert_array_equal(limelight.attention(*arguments, dropout=0.5, dropout_seed=3), first)
        self.assertTrue((limelight.attention(*arguments, dropout=0.5, dropout_seed=4) != first).any())

    def test_several_threads_at_once(self):
        expected = limelight.attention(self.query, self.key, self.value)
        results = [None] * 4

        def work(i):
            for _ in range(50):
                results[i] = limelight.attention(self.query, self.key, self.value)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            np.testing.assert_array_equal(result, expected)

    def test_errors_name_the_argument(self):
        q, k, v = self.query, self.key, self.value
        wrong = (
            ("key", lambda: limelight.attention(q, k[..., :8], v)),
            ("query", lambda: limelight.attention(q[0], k, v)),
            ("query", lambda: limelight.attention(q.astype(np.int64), k, v)),
            ("causal", lambda: limelight.attention(q, k, v, causal=True)),
            ("alignment", lambda: limelight.attention(q, k, v, window=(3, 0))),
            ("out", lambda: limelight.attention(q, k, v, out=q)),
            ("mask", lambda: limelight.attention(q, k, v, mask=np.ones((5, 5), np.bool_))),
            ("key_lengths", lambda: limelight.attention(q, k, v, key_lengths=np.array([3, 99]))),
            ("dropout", lambda: limelight.attention(q, k, v, dropout=1.5)),
            ("dropout_seed", lambda: limelight.attention(q, k, v, dropout=0.5, dropout_seed=-1)),
            ("dropout_stream", lambda: limelight.attention(q, k, v, dropout=0.5, dropout_stream=2**40)),
            ("softmax_scale", lambda: limelight.attention(q, k, v, softmax_scale="1")),
            ("window", lambda: limelight.attention(q, k, v, window=3, alignment="top_left")),
            ("window", lambda: limelight.attention(q, k, v, window="ab", alignment="top_left")),
            ("out", lambda: limelight.attention(q, k, v, out=np.empty((2, 4, 9, 8), ">f4"))),
        )
        for name, call in wrong:
            with self.subTest(name), self.assertRaisesRegex(limelight.Error, name):
                call()
        self.assertTrue(issubclass(limelight.Error, ValueError))

    def test_an_unknown_option_is_refused_in_both_directions(self):
        q, k, v = self.query, self.key, self.value
        out, lse = limelight.attention(q, k, v, return_lse=True)
        for call in (lambda: limelight.attention(q, k, v, casual="top_left"),
                     lambda: limelight.attention_backward(q, k, v, out, lse, out, casual="top_left")):
            with self.assertRaisesRegex(TypeError, "casual"):
                call()

    def test_the_other_byte_order(self):
        swapped = [x.astype(x.dtype.newbyteorder()) for x in (self.query, self.key, self.value)]
        out = limelight.attention(*swapped)
        self.assertEqual(out.dtype, np.float32)
        np.testing.assert_allclose(out, self.expected, atol=1e-6)

    def test_says_what_it_runs_on(self):
        self.assertIn(limelight.instruction_set(), (
            "amx", "avx512_bf16", "avx512", "avx2", "sse4", "neon", "portable"))


class ScaledDotProductAttention(unittest.TestCase):
    """torch.nn.functional.scaled_dot_product_attention, whose signature and semantics these are."""

    def test_any_leading_axes(self):
        for shape in ((), (3,), (2, 3), (2, 2, 3)):
            query, key, value = normal(*shape, 5, 8), normal(*shape, 6, 8), normal(*shape, 6, 4)
            out = limelight.scaled_dot_product_attention(query, key, value)
            self.assertEqual(out.shape, (*shape, 5, 4))
            np.testing.assert_allclose(out, softmax_attention(query, key, value), atol=1e-6)

    def test_causal_is_top_left(self):
        query, key, value = normal(1, 2, 3, 8), normal(1, 2, 6, 8), normal(1, 2, 6, 8)
        bias = np.where(np.tri(3, 6, dtype=bool), 0, -np.inf)
        np.testing.assert_allclose(
            limelight.scaled_dot_product_attention(query, key, value, is_causal=True),
            softmax_attention(query, key, value, bias), atol=1e-6)

    def test_masks_broadcast(self):
        query, key, value = normal(2, 3, 5, 8), normal(2, 3, 6, 8), normal(2, 3, 6, 8)
        for shape in ((5, 6), (1, 6), (3, 5, 6), (2, 1, 5, 6), (2, 3, 1, 6)):
            mask = RANDOM.random(shape) < 0.7
            mask[..., 0] = True
            added = normal(*shape)
            np.testing.assert_allclose(
                limelight.scaled_dot_product_attention(query, key, value, attn_mask=mask),
                softmax_attention(query, key, value, np.where(mask, 0, -np.inf)), atol=1e-6)
            np.testing.assert_allclose(
                limelight.scaled_dot_product_attention(query, key, value, attn_mask=added, scale=0.3),
                softmax_attention(query, key, value, added, 0.3), atol=1e-6)

    def test_grouped_heads_are_asked_for(self):
        query, key, value = normal(2, 6, 5, 8), normal(2, 2, 6, 8), normal(2, 2, 6, 8)
        with self.assertRaisesRegex(limelight.Error, "enable_gqa"):
            limelight.scaled_dot_product_attention(query, key, value)
        np.testing.assert_allclose(
            limelight.scaled_dot_product_attention(query, key, value, enable_gqa=True),
            softmax_attention(query, np.repeat(key, 3, 1), np.repeat(value, 3, 1)), atol=1e-6)

    def test_grouped_heads_with_a_mask(self):
        query, key, value = normal(2, 6, 5, 8), normal(2, 2, 6, 8), normal(2, 2, 6, 8)
        added = normal(2, 6, 5, 6)
        np.testing.assert_allclose(
            limelight.scaled_dot_product_attention(query, key, value, added, enable_gqa=True),
            softmax_attention(query, np.repeat(key, 3, 1), np.repeat(value, 3, 1), added), atol=1e-6)

    def test_axes_that_broadcast(self):
        query, key, value = normal(2, 3, 5, 8), normal(1, 1, 6, 8), normal(2, 1, 6, 8)
        expected = softmax_attention(query, np.broadcast_to(key, (2, 3, 6, 8)),
                                     np.broadcast_to(value, (2, 3, 6, 8)))
        np.testing.assert_allclose(limelight.scaled_dot_product_attention(query, key, value), expected,
                                   atol=1e-6)
        for mask in (np.True_, np.ones(6, np.bool_), np.ones((3, 1, 1), np.bool_)):
            np.testing.assert_allclose(
                limelight.scaled_dot_product_attention(query, key, value, attn_mask=mask), expected,
                atol=1e-6)

    def test_axes_of_nothing(self):
        x = normal(2, 3, 5, 8)
        call = limelight.scaled_dot_product_attention
        np.testing.assert_array_equal(call(x, x[:, :, :0], x[:, :, :0]), np.zeros((2, 3, 5, 8)))
        self.assertEqual(call(x[:, :, :0], x, x).shape, (2, 3, 0, 8))
        self.assertEqual(call(x[:0], x[:0], x[:0], is_causal=True).shape, (0, 3, 5, 8))

    def test_a_row_that_sees_nothing_is_zero(self):
        x = normal(1, 1, 4, 8)
        mask = np.ones((4, 4), np.bool_)
        mask[2] = False
        out = limelight.scaled_dot_product_attention(x, x, x, attn_mask=mask)
        np.testing.assert_array_equal(out[0, 0, 2], 0)
        self.assertTrue((out[0, 0, [0, 1, 3]] != 0).all())

    def test_dropout(self):
        x = normal(1, 2, 50, 8)
        call = limelight.scaled_dot_product_attention
        self.assertTrue((call(x, x, x, dropout_p=0.5) != call(x, x, x, dropout_p=0.5)).any())
        np.testing.assert_array_equal(call(x, x, x, dropout_p=1.0), 0)

    def test_errors_name_the_argument(self):
        x = normal(2, 3, 5, 8)
        call = limelight.scaled_dot_product_attention
        wrong = (
            ("attn_mask", lambda: call(x, x, x, attn_mask=np.ones((5, 6), np.bool_))),
            ("attn_mask", lambda: call(x, x, x, attn_mask=np.ones((5, 5), np.int64))),
            ("key, value", lambda: call(x, normal(3, 3, 5, 8), normal(3, 3, 5, 8))),
            ("dropout_p", lambda: call(x, x, x, dropout_p=-0.1)),
            ("dropout_p", lambda: call(x, x, x, dropout_p=1.5)),
            ("query", lambda: call(x[0, 0, 0], x, x)),
        )
        for name, found in wrong:
            with self.subTest(name), self.assertRaisesRegex(limelight.Error, f"^{name}: "):
                found()

    def test_mask_and_causal_exclude_each_other(self):
        x = normal(1, 1, 2, 4)
        with self.assertRaisesRegex(limelight.Error, "attn_mask"):
            limelight.scaled_dot_product_attention(x, x, x, np.ones((2, 2), np.bool_), is_causal=True)


if __name__ == "__main__":
    unittest.main()
