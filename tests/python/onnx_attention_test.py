"""ONNX's operator Attention by way of limelight.attention: every case of two suites.

Where the two differ by definition, this adapter translates:
- 3-D inputs [batch, length, heads * dim] are views of [batch, heads, length, dim].
- ONNX's causal mask is at the top left; with a cache, past keys come before query 0; with
  nonpad_kv_seqlen, the queries are the last ones of what is not padded (bottom right, per item).
- Masks may be shorter than the keys: what is missing is hidden.
- ONNX's scores are outputs (qk_matmul_output: products, capped, masked, weights); ours are not
  stored. Weights are had by attending to unit vectors, scores as the lse of single keys.
- A row with nothing visible is 0 in both; ONNX's softmax output for it as well.
"""

import unittest

import numpy as np

import limelight
from conformance import case_folders, load_case


def heads_apart(tensor, heads):
    if tensor.ndim == 4:
        return tensor
    batch, length, width = tensor.shape
    return tensor.reshape(batch, length, heads, width // heads).transpose(0, 2, 1, 3)


def mask_options(mask, batch, heads, q_len, kv_len, dtype):
    """attn_mask as our mask or bias, filled up with what hides to the length of the keys."""
    if mask is None:
        return {}
    missing = kv_len - mask.shape[-1]
    if missing > 0:
        hides = False if mask.dtype == np.bool_ else -np.inf
        mask = np.concatenate([mask, np.full((*mask.shape[:-1], missing), hides, mask.dtype)], -1)
    return {"mask" if mask.dtype == np.bool_ else "bias": mask}


def weights_of(query, key, options):
    """Attending to unit vectors: out is the weights."""
    kv_len = key.shape[2] + (options["past_key"].shape[2] if "past_key" in options else 0)
    units = np.broadcast_to(np.eye(kv_len, dtype=query.dtype), (*key.shape[:2], kv_len, kv_len))
    past_len = kv_len - key.shape[2]
    if past_len:
        options = {**options, "past_value": units[:, :, :past_len]}
    return limelight.attention(query, key, units[:, :, past_len:], **options)


def scores_of(query, key, options, masked):
    """Attending to one key at a time: lse is its score. `masked` says whether masks take part."""
    keys = key
    if "past_key" in options:
        keys = np.concatenate([options["past_key"], key], 2)
    scores = []
    for j in range(keys.shape[2]):
        alone = {name: options[name] for name in ("softcap", "softmax_scale") if name in options}
        for name in ("mask", "bias") if masked else ():
            if name in options:
                alone[name] = np.ascontiguousarray(options[name][..., j:j + 1])
        one = keys[:, :, j:j + 1]
        scores.append(limelight.attention(query, one, one, return_lse=True, **alone)[1])
    scores = np.stack(scores, -1)
    if masked and "causal" in options:
        past_len = keys.shape[2] - key.shape[2]
        query_at, key_at = np.ogrid[:query.shape[2], :keys.shape[2]]
        scores[..., key_at > query_at + past_len] = -np.inf
    return scores


def arguments_of(attributes, tensors):
    q_heads, kv_heads = attributes.get("q_num_heads"), attributes.get("kv_num_heads")
    query = heads_apart(tensors["in.Q"], q_heads)
    key = heads_apart(tensors["in.K"], kv_heads)
    value = heads_apart(tensors["in.V"], kv_heads)
    past_key, past_value = tensors.get("in.past_key"), tensors.get("in.past_value")
    lengths = tensors.get("in.nonpad_kv_seqlen")
    past_len = 0 if past_key is None else past_key.shape[2]
    kv_len = past_len + key.shape[2]
    options = mask_options(tensors.get("in.attn_mask"), query.shape[0], query.shape[1], query.shape[2],
                           kv_len, query.dtype)
    aligned = "top_left" if lengths is None else "bottom_right"
    if attributes.get("is_causal"):
        options["causal"] = aligned
    sides = [attributes.get(name, -1) for name in ("left_window_size", "right_window_size")]
    if sides != [-1, -1]:
        options["window"] = tuple(None if side < 0 else side for side in sides)
        options["alignment"] = aligned
    if attributes.get("softcap"):
        options["softcap"] = attributes["softcap"]
    if "scale" in attributes:
        options["softmax_scale"] = attributes["scale"]
    if past_len:
        options.update(past_key=past_key, past_value=past_value)
    if lengths is not None:
        options["key_lengths"] = lengths
    return query, key, value, options


class OnnxAttention(unittest.TestCase):
    def check(self, folder, tolerance):
        case, tensors = load_case(folder)
        query, key, value, options = arguments_of(case["attributes"], tensors)
        out = limelight.attention(query, key, value, **options)
        expected = tensors["out.Y"]
        if expected.ndim == 3:
            out = out.transpose(0, 2, 1, 3).reshape(expected.shape)
        atol, rtol = tolerance(case, expected)
        np.testing.assert_allclose(out.astype(np.float64), expected, rtol=rtol, atol=atol)
        if "out.qk_matmul_output" in tensors:
            self.check_scores(case, query, key, options, tensors["out.qk_matmul_output"], rtol, atol)

    def check_scores(self, case, query, key, options, expected, rtol, atol):
        stage = case["attributes"].get("qk_matmul_output_mode", 0)
        if stage == 3:
            found = weights_of(query, key, options)
        else:
            capped = {k: v for k, v in options.items() if stage > 0 or k != "softcap"}
            found = scores_of(query, key, capped, masked=stage == 2)
        np.testing.assert_allclose(found.astype(np.float64), expected, rtol=rtol, atol=max(atol, 1e-6),
                                   err_msg=f"stage {stage}")

    def test_every_case(self):
        def tolerance(case, expected):
            if expected.dtype == np.float16:
                return 1e-2, 1e-2
            return case["atol"], case["rtol"]

        for folder in case_folders("onnx_attention"):
            with self.subTest(folder.name):
                self.check(folder, tolerance)

    def test_every_hard_case(self):
        for folder in case_folders("onnx_attention_hard"):
            with self.subTest(folder.name):
                self.check(folder, lambda case, _: (4 * case["f32_reference_max_abs_err_Y"], 0))


if __name__ == "__main__":
    unittest.main()
