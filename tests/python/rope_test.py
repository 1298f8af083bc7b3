"""Rotary position embedding: ONNX's cases, the formulas in NumPy, and what makes it a position."""

import unittest

import numpy as np

import limelight
from conformance import case_folders, load_case

RANDOM = np.random.default_rng(11)


def rotated(x, angles, interleaved, factor=1.0):
    """The definition by complex numbers, in float64; angles [length, pairs]."""
    count = angles.shape[-1]
    first, second = ((x[..., 0:2 * count:2], x[..., 1:2 * count:2]) if interleaved
                     else (x[..., :count], x[..., count:2 * count]))
    turned = (first + 1j * second) * factor * np.exp(1j * angles)
    out = x.astype(np.float64).copy()
    if interleaved:
        out[..., 0:2 * count:2], out[..., 1:2 * count:2] = turned.real, turned.imag
    else:
        out[..., :count], out[..., count:2 * count] = turned.real, turned.imag
    return out


class OnnxRotaryEmbedding(unittest.TestCase):
    def test_every_case(self):
        """ONNX gathers rows of its caches by position; ours come gathered."""
        ran = 0
        for folder in case_folders("onnx_ops"):
            case, tensors = load_case(folder)
            if case["op"] != "RotaryEmbedding":
                continue
            with self.subTest(folder.name):
                ran += 1
                attributes, x = case["attributes"], tensors["in.X"]
                heads = attributes.get("num_heads")
                if x.ndim == 3:
                    x = x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)
                cosines, sines = tensors["in.cos_cache"], tensors["in.sin_cache"]
                if "in.position_ids" in tensors:
                    positions = tensors["in.position_ids"]
                    cosines, sines = cosines[positions], sines[positions]
                out = limelight.rope_rotate(x, cosines, sines,
                                            interleaved=bool(attributes.get("interleaved")))
                expected = tensors["out.Y"]
                if expected.ndim == 3:
                    out = out.transpose(0, 2, 1, 3).reshape(expected.shape)
                np.testing.assert_allclose(out, expected, rtol=case["rtol"], atol=case["atol"])
        self.assertGreater(ran, 0)


class OnnxSoftmax(unittest.TestCase):
    def test_every_case(self):
        """Softmax as attention: a query of nothing, scores as bias, unit vectors as values."""
        ran = 0
        for folder in case_folders("onnx_ops"):
            case, tensors = load_case(folder)
            if case["op"] != "Softmax":
                continue
            with self.subTest(folder.name):
                ran += 1
                names = [name for name in tensors if name.startswith("in.")]
                axis = case["attributes"].get("axis", -1)
                scores = np.moveaxis(tensors[names[0]], axis, -1)
                expected = next(t for n, t in tensors.items() if n.startswith("out."))
                rows = np.ascontiguousarray(scores.reshape(-1, scores.shape[-1]))
                count, width = rows.shape
                weights = limelight.attention(
                    np.zeros((1, 1, count, 1), rows.dtype), np.zeros((1, 1, width, 1), rows.dtype),
                    np.eye(width, dtype=rows.dtype)[None, None], bias=rows)
                found = np.moveaxis(weights.reshape(scores.shape), -1, axis)
                np.testing.assert_allclose(found, expected, rtol=case["rtol"], atol=case["atol"])
        self.assertGreater(ran, 0)


class Rope(unittest.TestCase):
    def setUp(self):
        self.x = RANDOM.standard_normal((2, 3, 7, 16))
        self.positions = np.array([0, 1, 2, 5, 100, 4095, 131071])

    def frequencies(self, dim, theta=10000.0):
        return theta ** (-np.arange(0, dim, 2) / dim)

    def check(self, frequencies, factor=1.0, **options):
        angles = self.positions[:, None] * frequencies
        interleaved = options.get("interleaved", False)
        expected = rotated(self.x, angles, interleaved, factor)
        np.testing.assert_allclose(limelight.rope(self.x, self.positions, **options), expected,
                                   atol=1e-9)
        in_f32 = limelight.rope(self.x.astype(np.float32), self.positions, **options)
        np.testing.assert_allclose(in_f32, expected, rtol=1e-6, atol=1e-6)

    def test_pairs_and_partial_rotation(self):
        for interleaved in (False, True):
            self.check(self.frequencies(16), interleaved=interleaved)
            self.check(self.frequencies(6, 500.0), interleaved=interleaved, rotary_dim=6, theta=500.0)

    def test_linear(self):
        self.check(self.frequencies(16) / 4, scaling={"type": "linear", "factor": 4})

    def test_llama3(self):
        theta, context, factor = 500000.0, 8192, 8
        frequencies = []
        for f in self.frequencies(16, theta):
            wavelength = 2 * np.pi / f
            if wavelength > context / 1:
                f /= factor
            elif wavelength >= context / 4:
                smooth = (context / wavelength - 1) / (4 - 1)
                f = (1 - smooth) * f / factor + smooth * f
            frequencies.append(f)
        self.check(np.array(frequencies), theta=theta, scaling={"type": "llama3"})

    def test_yarn(self):
        factor, context, dim, theta = 16.0, 4096, 16, 10000.0

        def correction(turns):
            return dim * np.log(context / (turns * 2 * np.pi)) / (2 * np.log(theta))

        low, high = max(np.floor(correction(32)), 0), min(np.ceil(correction(1)), dim - 1)
        ramp = np.clip((np.arange(dim // 2) - low) / (high - low), 0, 1)
        plain = self.frequencies(dim)
        self.check(plain / factor * ramp + plain * (1 - ramp), 0.1 * np.log(factor) + 1,
                   scaling={"type": "yarn", "factor": factor, "original_context": context})

    def test_scores_depend_on_distance_alone(self):
        query, key = RANDOM.standard_normal((2, 1, 1, 1, 64))
        scores = [(limelight.rope(query, [p + 9]) * limelight.rope(key, [p])).sum()
                  for p in (0, 5, 1000)]
        np.testing.assert_allclose(scores, scores[0], atol=1e-10)

    def test_backward_undoes_the_turn_and_in_place_is_the_same(self):
        turned = limelight.rope(self.x, self.positions)
        np.testing.assert_allclose(limelight.rope(turned, self.positions, backward=True), self.x,
                                   atol=1e-12)
        here = self.x.copy()
        limelight.rope(here, self.positions, out=here)
        np.testing.assert_array_equal(here, turned)

    def test_mistakes_are_named(self):
        for name, call in (
            ("rotary_dim", lambda: limelight.rope(self.x, rotary_dim=3)),
            ("rotary_dim", lambda: limelight.rope(self.x, rotary_dim=18)),
            ("positions", lambda: limelight.rope(self.x, [1, 2])),
            ("theta", lambda: limelight.rope(self.x, theta=0)),
            ("scaling", lambda: limelight.rope(self.x, scaling={"type": "ntk"})),
            ("factor", lambda: limelight.rope(self.x, scaling={"type": "linear", "factor": 0})),
            ("x", lambda: limelight.rope(self.x[0])),
            ("cosines", lambda: limelight.rope_rotate(self.x, np.ones((7, 9)), np.ones((7, 9)))),
        ):
            with self.subTest(name), self.assertRaisesRegex(limelight.Error, name):
                call()


if __name__ == "__main__":
    unittest.main()
