"""GPT-2 in NumPy and float64, from a model's folder: an independent reading of the same files."""

import json
import pathlib
import struct

import numpy as np


def read_safetensors(path):
    data = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", entry
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[8 + size + begin:8 + size + end], dtype="<f4")
        tensors[name] = values.reshape(entry["shape"])
    return tensors


class Gpt2:
    def __init__(self, folder):
        self.config = json.loads((pathlib.Path(folder) / "config.json").read_text())
        tensors = read_safetensors(pathlib.Path(folder) / "model.safetensors")
        self.p = {name.removeprefix("transformer."): t.astype(np.float64) for name, t in tensors.items()}

    def norm(self, x, name):
        mean = x.mean(-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(-1, keepdims=True)
        normal = (x - mean) / np.sqrt(variance + self.config["layer_norm_epsilon"])
        return normal * self.p[name + ".weight"] + self.p[name + ".bias"]

    def linear(self, x, name):
        return x @ self.p[name + ".weight"] + self.p[name + ".bias"]

    def embed(self, ids):
        return self.p["wte.weight"][ids] + self.p["wpe.weight"][:len(ids)]

    def split(self, x):
        """[tokens, width] -> [heads, tokens, head_dim]"""
        heads = self.config["n_head"]
        return x.reshape(len(x), heads, -1).transpose(1, 0, 2)

    def scores(self, query, key):
        return query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])

    def weights(self, scores, visible):
        masked = np.where(visible, scores, -np.inf)
        weights = np.exp(masked - masked.max(-1, keepdims=True))
        return weights / weights.sum(-1, keepdims=True)

    def run(self, ids):
        """Every head of every layer, and the logits after the last token; self.streams afterwards: the
        embedding, and the stream after each layer."""
        heads = []
        n = len(ids)
        x = self.embed(ids)
        self.streams = [x]
        visible = np.tril(np.ones((n, n), dtype=bool))
        for layer in range(self.config["n_layer"]):
            block = f"h.{layer}."
            qkv = self.linear(self.norm(x, block + "ln_1"), block + "attn.c_attn")
            query, key, value = (self.split(part) for part in np.split(qkv, 3, axis=-1))
            scores = self.scores(query, key)
            weights = self.weights(scores, visible)
            context = weights @ value
            heads += [dict(layer=layer, head=h, query=query[h], key=key[h], value=value[h],
                           scores=scores[h], weights=weights[h], context=context[h])
                      for h in range(len(context))]
            x = x + self.linear(context.transpose(1, 0, 2).reshape(n, -1), block + "attn.c_proj")
            hidden = self.linear(self.norm(x, block + "ln_2"), block + "mlp.c_fc")
            inner = np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden ** 3)
            x = x + self.linear(0.5 * hidden * (1 + np.tanh(inner)), block + "mlp.c_proj")
            self.streams.append(x)
        logits = self.norm(x, "ln_f")[-1] @ self.p["wte.weight"].T
        return heads, logits
