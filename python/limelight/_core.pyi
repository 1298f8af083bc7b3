from typing import Any

import numpy as np

class Error(ValueError):
    """An argument that cannot be: the message names it, what was expected and what came."""

def attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    out: np.ndarray,
    lse: np.ndarray | None,
    keywords: dict[str, Any],
) -> None: ...
def attention_backward(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    out: np.ndarray,
    lse: np.ndarray,
    grad_out: np.ndarray,
    gradients: dict[str, np.ndarray],
    keywords: dict[str, Any],
) -> None: ...
def attention_weights(
    query: np.ndarray,
    key: np.ndarray,
    lse: np.ndarray,
    rows: np.ndarray | tuple[int, int] | None,
    columns: np.ndarray | tuple[int, int] | None,
    out: np.ndarray,
    keywords: dict[str, Any],
) -> None: ...
def top_attention_weights(
    query: np.ndarray,
    key: np.ndarray,
    lse: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    keywords: dict[str, Any],
) -> None: ...
def attention_column_sums(
    query: np.ndarray,
    key: np.ndarray,
    lse: np.ndarray,
    out: np.ndarray,
    keywords: dict[str, Any],
) -> None: ...
def attention_entropy(
    query: np.ndarray,
    key: np.ndarray,
    lse: np.ndarray,
    out: np.ndarray,
    keywords: dict[str, Any],
) -> None: ...
def attention_map(
    query: np.ndarray,
    key: np.ndarray,
    lse: np.ndarray,
    first_row: int,
    end_row: int,
    first_key: int,
    end_key: int,
    largest: bool,
    out: np.ndarray,
    keywords: dict[str, Any],
) -> None: ...
def decode(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    block_table: np.ndarray | None,
    key_scales: np.ndarray | None,
    value_scales: np.ndarray | None,
    out: np.ndarray,
    lse: np.ndarray | None,
    keywords: dict[str, Any],
) -> None: ...
def rope(
    x: np.ndarray,
    positions: np.ndarray,
    out: np.ndarray,
    theta: float,
    rotary_dim: int,
    interleaved: bool,
    scaling: dict[str, Any] | None,
    backward: bool,
) -> None: ...
def rope_rotate(
    x: np.ndarray,
    cosines: np.ndarray,
    sines: np.ndarray,
    out: np.ndarray,
    interleaved: bool,
    backward: bool,
) -> None: ...
def instruction_set() -> str:
    """The vector instruction set that kernels run on: "avx512", "avx2", "sse4", "neon", "portable".

    The environment variable LIMELIGHT_ISA forces one."""

SOURCE_TREE: str

class StoryTeller:
    """A model and the sense grammar, from their folders."""

    def __init__(self, model: str, senses: str) -> None: ...
    def tell(
        self,
        text: str,
        word: str | None,
        layer: int | None,
        head: int | None,
        detail: str,
        bug: str | None,
    ) -> Story: ...

class Story:
    def token_bytes(self) -> list[bytes]: ...
    def trace_parts(self) -> dict[str, Any]: ...
    def tensor_proofs(self) -> dict[str, tuple[float, float]]: ...
    def to_json(self) -> str: ...
    def page_json(self) -> str: ...
    def to_html(self) -> str: ...
    def to_notebook(self) -> str: ...
    def to_svg(self, figure: str) -> str: ...
    def save_csv(self, folder: str) -> None: ...
    def save_trace(self, path: str) -> None: ...

def open_trace(path: str) -> dict[str, Any]: ...
