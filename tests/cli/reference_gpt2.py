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

    def run(self, ids):
        """Every head of every layer, and the logits after the last token."""
        heads = []
        n = len(ids)
        x = self.p["wte.weight"][ids] + self.p["wpe.weight"][:n]
        head_dim = self.config["n_embd"] // self.config["n_head"]
        visible = np.tril(np.ones((n, n), dtype=bool))
        for layer in range(self.config["n_layer"]):
            block = f"h.{layer}."
            qkv = self.linear(self.norm(x, block + "ln_1"), block + "attn.c_attn")
            query, key, value = np.split(qkv, 3, axis=-1)
            joined = []
            for head in range(self.config["n_head"]):
                part = slice(head * head_dim, (head + 1) * head_dim)
                q, k, v = query[:, part], key[:, part], value[:, part]
                scores = q @ k.T / np.sqrt(head_dim)
                masked = np.where(visible, scores, -np.inf)
                weights = np.exp(masked - masked.max(-1, keepdims=True))
                weights /= weights.sum(-1, keepdims=True)
                context = weights @ v
                joined.append(context)
                heads.append(dict(layer=layer, head=head, query=q, key=k, value=v, scores=scores,
                                  weights=weights, context=context))
            x = x + self.linear(np.concatenate(joined, -1), block + "attn.c_proj")
            hidden = self.linear(self.norm(x, block + "ln_2"), block + "mlp.c_fc")
            inner = np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden ** 3)
            x = x + self.linear(0.5 * hidden * (1 + np.tanh(inner)), block + "mlp.c_proj")
        logits = self.norm(x, "ln_f")[-1] @ self.p["wte.weight"].T
        return heads, logits
