"""Self-attention on CPUs, computed fast, exactly and the same to the bit.

    import limelight
    out = limelight.attention(query, key, value, causal="bottom_right")

Arrays are [batch, heads, length, dim]; NumPy arrays go in and come out, without copies where their
last stride is one element. Anything with `__dlpack__` (a PyTorch or JAX tensor on the CPU) is read in
place, and what comes out can be given to `torch.from_dlpack`.

    limelight.Story("She struck a match and the lamp gave a warm light")

runs a model on a text and tells what attention does with a word of it, every number at hand.
"""

from ._core import Error, instruction_set
from .attention import (
    Gradients,
    attention,
    attention_backward,
    scaled_dot_product_attention,
)
from .attention_weights import TopWeights, attention_weights
from .decode import decode
from .rope import rope, rope_rotate
from .story import Story, Trace, open_trace

__all__ = [
    "Error",
    "Gradients",
    "Story",
    "TopWeights",
    "Trace",
    "attention",
    "attention_backward",
    "attention_weights",
    "decode",
    "instruction_set",
    "open_trace",
    "rope",
    "rope_rotate",
    "scaled_dot_product_attention",
]
