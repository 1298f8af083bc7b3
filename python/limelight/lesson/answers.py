"""The right computation of each exercise of limelight.lesson, and the usual wrong ones. Plain NumPy,
in float64. Reading on spoils the exercises."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray

# --- dot_product --------------------------------------------------------------------------------


def dot_product(x: Array, y: Array) -> Any:
    return (x * y).sum()


def product_not_summed(x: Array, y: Array) -> Any:
    return x * y


def cosine(x: Array, y: Array) -> Any:
    return x @ y / np.sqrt((x @ x) * (y @ y))


def distance(x: Array, y: Array) -> Any:
    return np.sqrt(((x - y) ** 2).sum())


def product_of_sums(x: Array, y: Array) -> Any:
    return x.sum() * y.sum()


# --- softmax of one row -------------------------------------------------------------------------


def softmax(scores: Array) -> Array:
    return softmax_along(scores, -1)


def softmax_along(scores: Array, axis: int | None) -> Array:
    exponentials = np.exp(scores - scores.max(axis, keepdims=True))
    return exponentials / exponentials.sum(axis, keepdims=True)


def softmax_overflowing(scores: Array) -> Array:
    return np.exp(scores) / np.exp(scores).sum()


def share_of_sum(scores: Array) -> Array:
    return scores / scores.sum()


def exponentials(scores: Array) -> Array:
    return np.exp(scores)


def shifted_exponentials(scores: Array) -> Array:
    return np.exp(scores - scores.max())


def softmin(scores: Array) -> Array:
    return softmax(-scores)


def share_of_squares(scores: Array) -> Array:
    return scores**2 / (scores**2).sum()


# --- mix ----------------------------------------------------------------------------------------


def mix(weights: Array, vectors: Array) -> Array:
    return weights @ vectors


def mix_not_summed(weights: Array, vectors: Array) -> Array:
    return weights[:, None] * vectors


def mix_unweighted(weights: Array, vectors: Array) -> Array:
    return vectors.mean(0)


def mix_over_coordinates(weights: Array, vectors: Array) -> Array:
    return (weights[:, None] * vectors).sum(1)


def mix_divided(weights: Array, vectors: Array) -> Array:
    return weights @ vectors / len(weights)


# --- softmax of a matrix ------------------------------------------------------------------------


def softmax_rows(scores: Array) -> Array:
    return softmax_along(scores, -1)


def softmax_columns(scores: Array) -> Array:
    return softmax_along(scores, 0)


def softmax_columns_overflowing(scores: Array) -> Array:
    return np.exp(scores) / np.exp(scores).sum(0)


def softmax_all(scores: Array) -> Array:
    return softmax_along(scores, None)


def softmax_all_overflowing(scores: Array) -> Array:
    return np.exp(scores) / np.exp(scores).sum()


def softmax_rows_overflowing(scores: Array) -> Array:
    return np.exp(scores) / np.exp(scores).sum(1, keepdims=True)


def share_of_sum_rows(scores: Array) -> Array:
    return scores / scores.sum(1, keepdims=True)


def exponentials_rows(scores: Array) -> Array:
    return np.exp(scores)


# --- query and key ------------------------------------------------------------------------------


def query_key_scores(x: Array, w_query: Array, w_key: Array) -> Array:
    return (x @ w_query) @ (x @ w_key).T


def key_query_scores(x: Array, w_query: Array, w_key: Array) -> Array:
    return query_key_scores(x, w_query, w_key).T


def query_query_scores(x: Array, w_query: Array, w_key: Array) -> Array:
    return query_key_scores(x, w_query, w_query)


def key_key_scores(x: Array, w_query: Array, w_key: Array) -> Array:
    return query_key_scores(x, w_key, w_key)


def plain_scores(x: Array, w_query: Array, w_key: Array) -> Array:
    return x @ x.T


def scaled_query_key_scores(x: Array, w_query: Array, w_key: Array) -> Array:
    return query_key_scores(x, w_query, w_key) / np.sqrt(w_query.shape[1])


# --- scale --------------------------------------------------------------------------------------


def unscaled_scores(query: Array, key: Array) -> Array:
    return query @ key.T


def scaled_scores(query: Array, key: Array) -> Array:
    return unscaled_scores(query, key) / np.sqrt(query.shape[-1])


def scores_over_dim(query: Array, key: Array) -> Array:
    return unscaled_scores(query, key) / query.shape[-1]


def scores_over_words(query: Array, key: Array) -> Array:
    return unscaled_scores(query, key) / np.sqrt(len(key))


def scores_multiplied(query: Array, key: Array) -> Array:
    return unscaled_scores(query, key) * np.sqrt(query.shape[-1])


def scores_over_square(query: Array, key: Array) -> Array:
    return unscaled_scores(query, key) / query.shape[-1] ** 2


# --- mask ---------------------------------------------------------------------------------------


def visible(words: int) -> Array:
    """True where the key is the query's own word or came before it."""
    return np.tri(words, dtype=bool)


def causal_weights(scores: Array) -> Array:
    return softmax_rows(np.where(visible(len(scores)), scores, -np.inf))


def masked_after_softmax(scores: Array) -> Array:
    return softmax_rows(scores) * visible(len(scores))


def masked_with_zero(scores: Array) -> Array:
    return softmax_rows(scores * visible(len(scores)))


def masked_diagonal(scores: Array) -> Array:
    seen = np.tri(len(scores), k=-1, dtype=bool)
    return softmax_rows(np.where(seen, scores, -np.inf))


def masked_past(scores: Array) -> Array:
    return softmax_rows(np.where(visible(len(scores)).T, scores, -np.inf))


def causal_over_queries(scores: Array) -> Array:
    return softmax_columns(np.where(visible(len(scores)), scores, -np.inf))


def masked_added_one(scores: Array) -> Array:
    return softmax_rows(scores + visible(len(scores)))


# --- a whole head -------------------------------------------------------------------------------


def self_attention(x: Array, w_query: Array, w_key: Array, w_value: Array) -> Array:
    return causal_weights(scaled_scores(x @ w_query, x @ w_key)) @ (x @ w_value)


def attention_without_value(x: Array, w_query: Array, w_key: Array, w_value: Array) -> Array:
    return causal_weights(scaled_scores(x @ w_query, x @ w_key)) @ x


def attention_over_queries(x: Array, w_query: Array, w_key: Array, w_value: Array) -> Array:
    return causal_over_queries(scaled_scores(x @ w_query, x @ w_key)) @ (x @ w_value)


def attention_width_scaled(x: Array, w_query: Array, w_key: Array, w_value: Array) -> Array:
    scores = query_key_scores(x, w_query, w_key) / np.sqrt(x.shape[1])
    return causal_weights(scores) @ (x @ w_value)


def attention_unscaled(x: Array, w_query: Array, w_key: Array, w_value: Array) -> Array:
    return causal_weights(query_key_scores(x, w_query, w_key)) @ (x @ w_value)


def attention_over_dim(x: Array, w_query: Array, w_key: Array, w_value: Array) -> Array:
    return causal_weights(scores_over_dim(x @ w_query, x @ w_key)) @ (x @ w_value)


def attention_unmasked(x: Array, w_query: Array, w_key: Array, w_value: Array) -> Array:
    return softmax_rows(scaled_scores(x @ w_query, x @ w_key)) @ (x @ w_value)


def attention_masked_after(x: Array, w_query: Array, w_key: Array, w_value: Array) -> Array:
    return masked_after_softmax(scaled_scores(x @ w_query, x @ w_key)) @ (x @ w_value)


def attention_transposed(x: Array, w_query: Array, w_key: Array, w_value: Array) -> Array:
    return causal_weights(scaled_scores(x @ w_query, x @ w_key)).T @ (x @ w_value)


# --- heads --------------------------------------------------------------------------------------


def multi_head(x: Array, w_query: Array, w_key: Array, w_value: Array, w_out: Array,
               heads: int) -> Array:
    return join(head_contexts(x, w_query, w_key, w_value, heads)) @ w_out


def head_contexts(x: Array, w_query: Array, w_key: Array, w_value: Array, heads: int) -> list[Array]:
    """What each head makes, from its own neighbouring columns of the three matrices."""
    return [self_attention(x, *matrices)
            for matrices in zip(*(np.split(w, heads, axis=1) for w in (w_query, w_key, w_value)))]


def join(contexts: list[Array]) -> Array:
    return np.concatenate(contexts, axis=1)


def one_wide_head(x: Array, w_query: Array, w_key: Array, w_value: Array, w_out: Array,
                  heads: int) -> Array:
    return self_attention(x, w_query, w_key, w_value) @ w_out


def every_nth_column(x: Array, w_query: Array, w_key: Array, w_value: Array, heads: int) -> list[Array]:
    """Heads cut as reshape(words, head_dim, heads) cuts them."""
    return [self_attention(x, w_query[:, h::heads], w_key[:, h::heads], w_value[:, h::heads])
            for h in range(heads)]


def heads_interleaved(x: Array, w_query: Array, w_key: Array, w_value: Array, w_out: Array,
                      heads: int) -> Array:
    contexts = every_nth_column(x, w_query, w_key, w_value, heads)
    return np.stack(contexts, axis=2).reshape(len(x), -1) @ w_out


def heads_interleaved_joined(x: Array, w_query: Array, w_key: Array, w_value: Array, w_out: Array,
                             heads: int) -> Array:
    return join(every_nth_column(x, w_query, w_key, w_value, heads)) @ w_out


def whole_words_dealt_out(x: Array, w_query: Array, w_key: Array, w_value: Array,
                          heads: int) -> list[Array]:
    """Heads cut as reshape(heads, words, head_dim) cuts them."""
    query, key, value = ((x @ w).reshape(heads, len(x), -1) for w in (w_query, w_key, w_value))
    return [causal_weights(scaled_scores(query[h], key[h])) @ value[h] for h in range(heads)]


def heads_without_transpose(x: Array, w_query: Array, w_key: Array, w_value: Array, w_out: Array,
                            heads: int) -> Array:
    contexts = whole_words_dealt_out(x, w_query, w_key, w_value, heads)
    return np.stack(contexts).reshape(len(x), -1) @ w_out


def heads_joined_without_transpose(x: Array, w_query: Array, w_key: Array, w_value: Array,
                                   w_out: Array, heads: int) -> Array:
    return join(whole_words_dealt_out(x, w_query, w_key, w_value, heads)) @ w_out


def heads_width_scaled(x: Array, w_query: Array, w_key: Array, w_value: Array, w_out: Array,
                       heads: int) -> Array:
    # A head's scores are divided by sqrt(head_dim) already: sqrt(heads) more makes it the width's.
    return multi_head(x, w_query / np.sqrt(heads), w_key, w_value, w_out, heads)


def heads_averaged(x: Array, w_query: Array, w_key: Array, w_value: Array, w_out: Array,
                   heads: int) -> Array:
    return np.mean(head_contexts(x, w_query, w_key, w_value, heads), axis=0)


def heads_without_output(x: Array, w_query: Array, w_key: Array, w_value: Array, w_out: Array,
                         heads: int) -> Array:
    return join(head_contexts(x, w_query, w_key, w_value, heads))


def heads_output_transposed(x: Array, w_query: Array, w_key: Array, w_value: Array, w_out: Array,
                            heads: int) -> Array:
    return multi_head(x, w_query, w_key, w_value, w_out.T, heads)


def heads_unmasked(x: Array, w_query: Array, w_key: Array, w_value: Array, w_out: Array,
                   heads: int) -> Array:
    contexts = [attention_unmasked(x, *matrices)
                for matrices in zip(*(np.split(w, heads, axis=1) for w in (w_query, w_key, w_value)))]
    return join(contexts) @ w_out
