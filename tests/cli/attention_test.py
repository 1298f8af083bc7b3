"""limelight attention: what the shell computes is what the definition says, and mistakes are one line."""

import pathlib
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import program  # noqa: E402
import safetensors  # noqa: E402

RANDOM = np.random.default_rng(3)


def normal(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def definition(query, key, value, visible):
    scores = np.where(visible, query @ np.swapaxes(key, 2, 3) / np.sqrt(query.shape[3]), -np.inf)
    largest = scores.max(-1, keepdims=True)
    weights = np.exp(scores - largest)
    total = weights.sum(-1, keepdims=True)
    return weights / total @ value, (largest + np.log(total))[..., 0]


class AttentionCommand(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.tensors = {"query": normal(2, 3, 5, 8), "key": normal(2, 3, 7, 8),
                        "value": normal(2, 3, 7, 4)}

    def attend(self, *arguments, **tensors):
        safetensors.save(self.folder / "in.safetensors", {**self.tensors, **tensors})
        return program.run("attention", "--input", str(self.folder / "in.safetensors"), "--output",
                           str(self.folder / "out.safetensors"), *arguments)

    def results(self, *arguments, **tensors):
        done = self.attend(*arguments, **tensors)
        self.assertEqual(done.returncode, 0, done.stderr)
        return safetensors.load(self.folder / "out.safetensors")

    def expect(self, found, visible=np.True_, tolerance=1e-6):
        out, lse = definition(*self.tensors.values(), visible)
        np.testing.assert_allclose(found["out"], out, atol=tolerance)
        np.testing.assert_allclose(found["lse"], lse, atol=tolerance)

    def test_plain(self):
        self.expect(self.results())

    def test_causal_and_window(self):
        i, j = np.ogrid[:5, :7]
        self.expect(self.results("--causal", "top_left"), j <= i)
        self.expect(self.results("--causal", "bottom_right"), j <= i + 2)
        self.expect(self.results("--window", "2,1", "--alignment", "top_left"),
                    (j >= i - 2) & (j <= i + 1))
        self.expect(self.results("--causal", "bottom_right", "--window", "3,-1"),
                    (j >= i + 2 - 3) & (j <= i + 2))

    def test_masks_and_lengths(self):
        mask = RANDOM.random((2, 1, 5, 7)) < 0.7
        mask[..., 0] = True
        self.expect(self.results(mask=mask), mask)
        self.expect(self.results(mask=np.where(mask, 0, -np.inf).astype(np.float32)), mask)
        lengths = np.array([3, 6])
        self.expect(self.results(key_lengths=lengths),
                    np.arange(7) < lengths[:, None, None, None])

    def test_past(self):
        whole = self.results()
        past = {f"past_{n}": self.tensors[n][:, :, :4].copy() for n in ("key", "value")}
        rest = {n: self.tensors[n][:, :, 4:].copy() for n in ("key", "value")}
        split = self.results(**past, **rest)
        np.testing.assert_array_equal(split["out"], whole["out"])

    def test_types(self):
        for dtype, tolerance in (("f32", 1e-6), ("f16", 4e-3)):
            self.expect({k: v.astype(np.float64) for k, v in self.results("--dtype", dtype).items()},
                        tolerance=tolerance)
        self.assertEqual(self.results("--dtype", "bf16")["out"].dtype, np.uint16)

    def test_backward_agrees_with_differences(self):
        self.tensors = {name: tensor.astype(np.float64) for name, tensor in self.tensors.items()}
        grad_out = RANDOM.standard_normal((2, 3, 5, 4))
        visible = np.arange(7) <= np.arange(5)[:, None] + 2
        found = self.results("--backward", "--causal", "bottom_right", grad_out=grad_out)
        for name, tensor in self.tensors.items():
            for index in list(np.ndindex(*tensor.shape))[::17]:
                losses, here = [], tensor[index]
                for step in (1e-6, -1e-6):
                    tensor[index] = here + step
                    losses.append((definition(*self.tensors.values(), visible)[0] * grad_out).sum())
                tensor[index] = here
                self.assertAlmostEqual(found["grad_" + name][index], (losses[0] - losses[1]) / 2e-6,
                                       places=6)

    def test_weights(self):
        i, j = np.ogrid[:5, :7]
        visible = j <= i + 2
        found = self.results("--causal", "bottom_right", "--weights", "rows=4,0", "columns=6", "tile=1:4,2:7",
                             "top_k=2", "column_sums", "entropy", "mean_map=1x7", "max_map=2x2@1:5,1:7")
        scores = self.tensors["query"] @ np.swapaxes(self.tensors["key"], 2, 3) / np.sqrt(8)
        weights = np.where(visible, np.exp(scores - found["lse"][..., None]), 0)
        close = lambda name, expected: np.testing.assert_allclose(found["weights_" + name], expected,
                                                                  atol=1e-6)
        close("rows", weights[:, :, [4, 0]])
        close("columns", weights[..., [6]])
        close("tile", weights[:, :, 1:4, 2:7])
        close("top_k", -np.sort(-weights)[..., :2])
        np.testing.assert_array_equal(found["weights_top_k_indices"],
                                      np.argsort(-weights, kind="stable")[..., :2])
        close("column_sums", weights.sum(2))
        close("entropy", -(weights * np.log(np.where(weights > 0, weights, 1))).sum(-1))
        close("mean_map", weights.mean(2, keepdims=True))
        close("max_map", weights[:, :, 1:5, 1:7].reshape(2, 3, 2, 2, 2, 3).max((3, 5)))

    def test_mistakes_are_one_line_and_write_nothing(self):
        wrong = (
            (("--causal", "left"), {}, b"--causal"),
            (("--window", "3"), {}, b"--window"),
            (("--window", "3,0"), {}, b"--alignment"),
            (("--backward",), {}, b"grad_out"),
            ((), {"key": normal(2, 3, 7, 9)}, b"key"),
            ((), {"query": normal(2, 3, 5)}, b"query"),
            ((), {"key_lengths": np.array([3, 9])}, b"key_lengths"),
            (("--softcap", "-1"), {}, b"softcap"),
            (("--dropout", "2"), {}, b"dropout"),
            (("--weights", "rows"), {}, b"--weights"),
            (("--weights", "rows=5"), {}, b"rows"),
            (("--weights", "tile=0:6,0:2"), {}, b"--weights"),
            (("--weights", "top_k=many"), {}, b"--weights"),
            (("--weights", "mean_map=3"), {}, b"--weights"),
            (("--weights", "entropy", "entropy"), {}, b"--weights"),
            (("--weights", "brightest"), {}, b"brightest"),
        )
        for arguments, tensors, name in wrong:
            with self.subTest(arguments=arguments, tensors=list(tensors)):
                done = self.attend(*arguments, **tensors)
                self.assertEqual(done.returncode, 2)
                self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
                self.assertIn(name, done.stderr)
                self.assertFalse((self.folder / "out.safetensors").exists())

    def test_what_is_no_input_is_said(self):
        done = self.attend(masks=np.ones((5, 7), np.bool_))
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"masks", done.stderr)


if __name__ == "__main__":
    unittest.main()
