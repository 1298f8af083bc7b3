"""One run of a model on a text, told in twelve steps, every number of it at hand."""

from __future__ import annotations

import functools
import html
import json
import os
import pathlib
import sys
from dataclasses import dataclass, field
from typing import Any, Literal, Union

import numpy as np

from . import _core
from ._core import Error

Detail = Literal["row", "head", "model"]
Figure = Literal["matrix", "heads", "arcs"]
PathLike = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Step:
    """One of the twelve steps. `blocks` are in reading order: dicts with a "kind" of "prose" (text),
    "formula" (symbols, numbers), "tensor" (id, caption, tensor, ...), "facts" (columns, rows) or "path"
    (points), as `limelight explain --format json` writes them."""

    number: int
    id: str
    title: str
    question: str
    blocks: list[dict[str, Any]] = field(repr=False)
    falls_short: str = field(repr=False)


@dataclass(frozen=True)
class Invariant:
    """What must hold whatever the numbers are, and what was measured."""

    invariant: str
    holds: bool
    measured: str


@dataclass(frozen=True)
class TensorProof:
    """How far a recorded tensor is from the same tensor computed in float64 by its recipe."""

    largest_difference: float
    relative: float  #: largest_difference / the tensor's largest number


@dataclass(frozen=True)
class Proof:
    """holds: every invariant does. tensors: by name, of all that were made from others."""

    holds: bool
    invariants: list[Invariant]
    tensors: dict[str, TensorProof] = field(repr=False)


@dataclass(frozen=True)
class Trace:
    """A run's tensors, by name.

    tensors: float32 arrays [rows, columns]. axes: the names of both axes. rows: for a tensor that does
    not keep every token, the tokens that its rows are. recipes: (operation, operands, factor), how a
    tensor was made from others; "given" where it was not. ids: the text's tokens. notes: what was
    saved beside them ("text", "hash").
    """

    ids: list[int]
    tensors: dict[str, np.ndarray] = field(repr=False)
    axes: dict[str, tuple[str, str]] = field(repr=False)
    rows: dict[str, list[int]] = field(repr=False)
    recipes: dict[str, tuple[str, list[str], float]] = field(repr=False)
    notes: dict[str, str] = field(default_factory=dict)


def open_trace(path: PathLike) -> Trace:
    """A trace that was saved by `Story.save_trace` or `limelight explain --trace`.

    The file is read without trusting it. Raises Error, naming what is wrong with it.
    """
    return Trace(**_core.open_trace(os.fspath(path)))


class Story:
    """Runs a model on a text and tells what attention does with one of its words.

        story = limelight.Story("She struck a match and the lamp gave a warm light")
        story                                    # in a notebook: the whole page, to walk through
        story.tensors["layer.3.head.0.weights"]  # [token, key_token], float32
        print(story.steps[7].question)

    Arguments:
      text: UTF-8, at most the model's context window of tokens.
      word: the word to look at; an ambiguous one, else the last content word, when None.
      layer, head: counted from 0; the most selective when None.
      model: a model's folder; lantern, the built-in one, when None.
      bug: a mistake to make on purpose, in every layer, such as "no_scale": the story is told of the wrong
        numbers, and a thirteenth step says what breaks. Its name: `limelight explain --help` lists them.
      detail: "row" lays out the word's row of one head, "head" one head whole and the weights of the
        others of its layer, "model" every head of every layer.

    Raises: Error for an empty text, one that is too long, a word that is not in it, a layer or head
    that the model does not have, a folder that holds no model, an unknown bug.

    Everything is computed at once; attributes do not change. Safe to read from several threads.
    """

    def __init__(self, text: str, word: str | None = None, layer: int | None = None,
                 head: int | None = None, model: PathLike | None = None, bug: str | None = None, *,
                 detail: Detail = "head"):
        if not isinstance(text, str):
            raise Error(f"text: expected a str, got {type(text).__name__}")
        teller = _open_teller(_model_folder(model))
        self._story = teller.tell(_as_utf8(text, "text"), word, layer, head, detail,
                                  bug)

    @functools.cached_property
    def _data(self) -> dict[str, Any]:
        # The page's data: the tensors that it holds are few, and those of `tensors` come as arrays.
        return json.loads(self._story.page_json())

    @functools.cached_property
    def trace(self) -> Trace:
        """The run's tensors with their axes and recipes."""
        return Trace(**self._story.trace_parts(), notes={"text": self.text, "hash": self.hash})

    @property
    def tensors(self) -> dict[str, np.ndarray]:
        """Every tensor of the run by its name, such as "layer.3.head.0.query": float32, [rows, columns]."""
        return self.trace.tensors

    @functools.cached_property
    def tokens(self) -> list[str]:
        """The text of each token; bytes that are no text of their own become U+FFFD."""
        return [token.decode("utf-8", "replace") for token in self._story.token_bytes()]

    @functools.cached_property
    def steps(self) -> list[Step]:
        """The twelve steps, told of `layer` and `head`; a thirteenth where a bug was asked for."""
        return [Step(**step) for step in self._data["tellings"][0]["steps"]]

    @functools.cached_property
    def proof(self) -> Proof:
        """Each tensor against float64, and the invariants."""
        found = self._data["proof"]
        return Proof(found["holds"], [Invariant(**one) for one in found["invariants"]],
                     {name: TensorProof(*values)
                      for name, values in self._story.tensor_proofs().items()})

    @property
    def text(self) -> str:
        return self._data["text"]

    @property
    def hash(self) -> str:
        """Of model, text and options; every face of this story names it."""
        return self._data["hash"]

    @property
    def word(self) -> str:
        """The word that is looked at."""
        return self._data["word"]["text"]

    @property
    def token(self) -> int:
        """The word's last token: the row that is looked at."""
        return self._data["word"]["token"]

    @property
    def layer(self) -> int:
        return self._data["layer"]

    @property
    def head(self) -> int:
        return self._data["head"]

    @property
    def bug(self) -> dict[str, str] | None:
        """name, title, text, wrong, right and recognise of the mistake that was made on purpose."""
        return self._data.get("bug")

    @property
    def effective_words(self) -> float:
        """exp of the entropy of the word's row of weights."""
        return self._data["effective_words"]

    @property
    def model(self) -> dict[str, Any]:
        """name, layers, heads, width, head_dim, context_length."""
        return self._data["model"]

    @property
    def next(self) -> list[dict[str, Any]]:
        """What the model expects after the text: id, text, probability; the most probable first."""
        return self._data["next"]

    def to_json(self) -> str:
        """The story as data, on one line."""
        return self._story.to_json()

    def to_html(self) -> str:
        """The story as one HTML file that opens from disk."""
        return self._story.to_html()

    def to_notebook(self) -> str:
        """The steps as a Jupyter notebook that computes every number again with NumPy."""
        return self._story.to_notebook()

    def to_svg(self, figure: Figure = "matrix") -> str:
        """A figure for a paper: "matrix", the head's weights; "heads", every head of the layer; "arcs"
        between words."""
        return self._story.to_svg(figure)

    def save_csv(self, folder: PathLike) -> None:
        """Writes every table of the steps into a folder, which is there whole or as it was. Raises Error
        when it holds other files."""
        self._story.save_csv(os.fspath(folder))

    def save_trace(self, path: PathLike) -> None:
        """Writes every tensor as safetensors with named axes; `limelight.open_trace` reads it."""
        self._story.save_trace(os.fspath(path))

    def _repr_html_(self) -> str:
        # A frame of its own: the page's style does not reach the notebook, nor the notebook's the page.
        return (f'<iframe sandbox="allow-scripts" style="width:100%;height:720px;border:1px solid #ccc" '
                f'title="Limelight: {html.escape(self.word)}" '
                f'srcdoc="{html.escape(self.to_html())}"></iframe>')

    def __repr__(self) -> str:
        return (f"<limelight.Story of {self.word!r} in {self.text!r}: {self.model['name']}, "
                f"layer {self.layer}, head {self.head}, {self.hash}>")


def _as_utf8(text: str, name: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Error(f"{name}: has half a character (a lone surrogate) at {error.start}") from None
    return text


def _shipped(relative: str) -> pathlib.Path:
    """In the tree that the package was built in, else under share/limelight of this Python."""
    in_tree = pathlib.Path(_core.SOURCE_TREE) / relative
    if in_tree.exists():
        return in_tree
    return pathlib.Path(sys.prefix) / "share" / "limelight" / relative


def _model_folder(model: PathLike | None) -> pathlib.Path:
    return pathlib.Path(model) if model is not None else _shipped("models/lantern")


def _open_teller(folder: pathlib.Path) -> Any:
    try:
        written = (folder / "model.safetensors").stat().st_mtime_ns
    except OSError:
        written = None  # the teller says what is missing
    return _opened(str(folder), str(_shipped("data/senses")), written)


@functools.lru_cache(maxsize=2)
def _opened(model: str, senses: str, written: int | None) -> Any:
    """The model, kept open: the next story of it need not read it again, unless it was `written` anew."""
    return _core.StoryTeller(model, senses)
