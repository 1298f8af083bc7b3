"""What the lessons in notebooks/ need besides NumPy: exercises that check the reader's answer, and
numbers laid out to be read.

    from limelight import lesson
    lesson.softmax.check(my_softmax)

An exercise knows the right computation and the usual wrong ones. It runs the reader's function on
inputs of its own; when the answer is wrong and equals one of the wrong computations on every one of
those inputs, the hint is the one for that mistake.
"""

from .exercise import Exercise, Mistake, Verdict
from .catalogue import (
    causal_weights,
    dot_product,
    exercises,
    mix,
    multi_head,
    query_key_scores,
    scaled_scores,
    self_attention,
    softmax,
    softmax_rows,
)
from .numbers import agrees_with_print, effective_words, matrix, terms

__all__ = [
    "Exercise",
    "Mistake",
    "Verdict",
    "agrees_with_print",
    "causal_weights",
    "dot_product",
    "effective_words",
    "exercises",
    "matrix",
    "mix",
    "multi_head",
    "query_key_scores",
    "scaled_scores",
    "self_attention",
    "softmax",
    "softmax_rows",
    "terms",
]
