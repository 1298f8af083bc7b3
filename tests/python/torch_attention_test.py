"""What PyTorch computed: scaled_dot_product_attention and MultiheadAttention with their gradients; and
GPT-2's published weights."""

import json
import unittest

import numpy as np

import limelight
import safetensors
from conformance import ROOT


def cases_of(op):
    folder = ROOT / "torch_autograd"
    if not folder.is_dir():
        raise unittest.SkipTest(f"{folder} is not there")
    manifest = json.loads((folder / "manifest.json").read_text())
    for case in manifest["cases"]:
        if case["attributes"].get("op") == op:
            yield case, safetensors.load(folder / f"{case['case']}.safetensors")


def options_of(attributes, tensors):
    options = {}
    if attributes.get("causal"):
        options["causal"] = "top_left"
    if "softcap" in attributes:
        options["softcap"] = attributes["softcap"]
    if "scale" in attributes:
        options["softmax_scale"] = attributes["scale"]
    if "mask" in tensors:
        options["mask"] = tensors["mask"].astype(np.bool_)
    if "bias" in tensors:
        options["bias"] = tensors["bias"]
    return options


class TorchAttention(unittest.TestCase):
    def test_every_case(self):
        for case, tensors in cases_of("scaled_dot_product_attention"):
            for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
                with self.subTest(case["case"], dtype=dtype.__name__):
                    self.check(case["attributes"], tensors, dtype, tolerance)

    def check(self, attributes, tensors, dtype, tolerance):
        query, key, value, grad_out = (tensors[name].astype(dtype) for name in ("Q", "K", "V", "dY"))
        options = options_of(attributes, tensors)
        out, lse = limelight.attention(query, key, value, return_lse=True, **options)
        gradients = limelight.attention_backward(query, key, value, out, lse, grad_out, **options)
        for name, found in (("Y", out), ("dQ", gradients.query), ("dK", gradients.key),
                            ("dV", gradients.value)):
            largest = max(1, np.abs(tensors[name]).max())
            np.testing.assert_allclose(found, tensors[name], rtol=0, atol=tolerance * largest,
                                       err_msg=name)



class MultiheadAttention:
    """torch.nn.MultiheadAttention with its backward: NumPy's projections around limelight's operator."""

    def __init__(self, tensors, num_heads, dtype):
        self.heads = num_heads
        self.get = lambda name: tensors[name].astype(dtype) if name in tensors else None
        self.grads = {}

    def apart(self, x):
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(0, 2, 1, 3)

    def together(self, x):
        return x.transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1)

    def forward(self):
        weight, bias = self.get("p.in_proj_weight"), self.get("p.in_proj_bias")
        projected = []
        for name, rows in zip(("query", "key", "value"), np.split(np.arange(len(weight)), 3)):
            x = self.get(name) @ weight[rows].T + (0 if bias is None else bias[rows])
            extra = self.get(f"p.bias_{name[0]}") if name != "query" else None
            if extra is not None:
                x = np.concatenate([x, np.broadcast_to(extra, (len(x), 1, x.shape[2]))], 1)
            projected.append(self.apart(x))
        ignored = self.get("key_padding_mask").astype(np.bool_)
        added = projected[1].shape[2] - ignored.shape[1]
        self.mask = np.pad(~ignored, ((0, 0), (0, added)), constant_values=True)[:, None, None, :]
        self.projected = projected
        self.out, self.lse = limelight.attention(*projected, mask=self.mask, return_lse=True)
        out_bias = self.get("p.out_proj.bias")
        self.context = self.together(self.out)
        return self.context @ self.get("p.out_proj.weight").T + (0 if out_bias is None else out_bias)

    def backward(self, grad):
        self.grads["dp.out_proj.weight"] = np.einsum("blo,bli->oi", grad, self.context)
        self.grads["dp.out_proj.bias"] = grad.sum((0, 1))
        grad_out = self.apart(grad @ self.get("p.out_proj.weight"))
        gradients = limelight.attention_backward(*self.projected, self.out, self.lse, grad_out,
                                                 mask=self.mask)
        weight = self.get("p.in_proj_weight")
        grad_weight, grad_bias = [], []
        for name, g, rows in zip(("query", "key", "value"), gradients,
                                 np.split(np.arange(len(weight)), 3)):
            g = self.together(g)
            length = self.get(name).shape[1]
            self.grads[f"dp.bias_{name[0]}"] = g[:, length:].sum((0, 1), keepdims=True)
            g = g[:, :length]
            self.grads[f"d{name}"] = g @ weight[rows]
            grad_weight.append(np.einsum("blo,bli->oi", g, self.get(name)))
            grad_bias.append(g.sum((0, 1)))
        self.grads["dp.in_proj_weight"] = np.concatenate(grad_weight)
        self.grads["dp.in_proj_bias"] = np.concatenate(grad_bias)


class TorchMultiheadAttention(unittest.TestCase):
    def test_every_case(self):
        for case, tensors in cases_of("torch.nn.MultiheadAttention"):
            for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
                with self.subTest(case["case"], dtype=dtype.__name__):
                    layer = MultiheadAttention(tensors, case["attributes"]["num_heads"], dtype)
                    found = {"Y": layer.forward()}
                    layer.backward(tensors["dY"].astype(dtype))
                    found.update(layer.grads)
                    names = [n for n in tensors if n == "Y" or (n[0] == "d" and n != "dY")]
                    for name in names:
                        largest = max(1, np.abs(tensors[name]).max())
                        np.testing.assert_allclose(found[name], tensors[name], rtol=0,
                                                   atol=tolerance * largest, err_msg=name)


class Gpt2PublishedWeights(unittest.TestCase):
    def test_weights_from_scores_of_every_head(self):
        files = sorted((ROOT / "gpt2_published_activations").glob("*.safetensors"))
        if not files:
            self.skipTest("gpt2_published_activations is not there")
        for file in files:
            tensors = safetensors.load(file)
            scores = tensors["attn_scaled"]  # [layers, heads, length, length], not masked yet
            length = scores.shape[-1]
            units = np.broadcast_to(np.eye(length, dtype=np.float32), scores.shape)
            nothing = np.zeros((*scores.shape[:3], 1), np.float32)
            weights = limelight.attention(nothing, nothing, np.ascontiguousarray(units), bias=scores,
                                          causal="top_left")
            with self.subTest(file.name):
                np.testing.assert_allclose(weights, tensors["attn_softmax"], rtol=0, atol=1e-6)


if __name__ == "__main__":
    unittest.main()
