"""The exercises, in the lesson's order."""

from __future__ import annotations

import numpy as np

from . import answers
from .exercise import Exercise, Mistake

_draws = np.random.RandomState(2)


def _normal(*shape: int) -> np.ndarray:
    return _draws.standard_normal(shape)


_LARGE = np.array([1000.0, 1002.0, 999.0])

dot_product = Exercise(
    "dot_product", answers.dot_product, ((_normal(3), _normal(3)), (_normal(5), _normal(5))),
    (
        Mistake("not summed", (answers.product_not_summed,),
                "You have the products, one for each coordinate. The score is one number: add them."),
        Mistake("cosine", (answers.cosine,),
                "You divided by the two lengths: that is the cosine. The dot product keeps the "
                "lengths; a long vector scores more."),
        Mistake("distance", (answers.distance,),
                "That is the distance between the two words: it is small for similar ones. The dot "
                "product multiplies coordinate by coordinate and adds."),
        Mistake("sum of sums", (answers.product_of_sums,),
                "You added each vector first and multiplied the sums. Multiply coordinate by "
                "coordinate first, then add."),
    ),
    "Products, then their sum: one score.")

softmax = Exercise(
    "softmax", answers.softmax, ((_normal(6),), (np.array([-1.0, 2.0, 0.5]),), (_LARGE,)),
    (
        Mistake("overflow", (answers.softmax_overflowing,),
                "Right for small scores, but exp(1000) is infinite, and infinity / infinity is NaN. "
                "Subtract the row's maximum first: the shares stay the same."),
        Mistake("share of sum", (answers.share_of_sum,),
                "You divided the scores by their sum. With a negative score that gives a negative "
                "share, or one over 1. Make every number positive first: exp."),
        Mistake("not divided", (answers.exponentials,),
                "The exponentials are positive, but they do not sum to 1 yet. Divide by their sum."),
        Mistake("shifted, not divided", (answers.shifted_exponentials,),
                "You subtracted the maximum and took exp; now divide by the sum of those."),
        Mistake("sign", (answers.softmin,),
                "Your largest share goes to the smallest score. Look at the sign inside exp."),
        Mistake("squares", (answers.share_of_squares,),
                "Squares are positive as well, but a score of -2 would weigh as much as 2. Use exp, "
                "which keeps the order."),
    ),
    "Positive, in the scores' order, and their sum is 1, however large the scores are.")

mix = Exercise(
    "mix", answers.mix,
    ((answers.softmax(_normal(6)), _normal(6, 3)), (answers.softmax(_normal(4)), _normal(4, 4))),
    (
        Mistake("not summed", (answers.mix_not_summed,),
                "You have each word's vector times its weight: the terms. Lay them head to tail: add "
                "them up, over the words."),
        Mistake("unweighted", (answers.mix_unweighted,),
                "That is the plain average: every word counts the same. Let each count by its weight."),
        Mistake("summed over coordinates", (answers.mix_over_coordinates,),
                "You added up within each word; what is left is one number a word. Add up over the "
                "words: what is left is one number a coordinate."),
        Mistake("divided again", (answers.mix_divided,),
                "You divided by the number of words. The weights sum to 1 already: that is the "
                "average."),
    ),
    "That is a context vector.")

softmax_rows = Exercise(
    "softmax_rows", answers.softmax_rows, ((_normal(4, 4),), (_normal(3, 5),), (_normal(2, 3) + 1e3,)),
    (
        Mistake("over queries", (answers.softmax_columns, answers.softmax_columns_overflowing),
                "Your columns sum to 1, your rows do not: you took the shares over the queries. A row "
                "belongs to the word that looks, so its shares run along the row, over the keys: the "
                "last axis."),
        Mistake("over all", (answers.softmax_all, answers.softmax_all_overflowing),
                "All your numbers together sum to 1. Each row should: every word has a whole 1 to give "
                "away."),
        Mistake("overflow", (answers.softmax_rows_overflowing,),
                "Right for small scores; with scores near 1000 exp overflows. Subtract each row's "
                "maximum first (keepdims=True keeps it a column)."),
        Mistake("share of sum", (answers.share_of_sum_rows,),
                "You divided each row by its sum, without exp. A negative score gives a negative "
                "share."),
        Mistake("not divided", (answers.exponentials_rows,),
                "The exponentials do not sum to 1 yet. Divide each row by its own sum."),
    ),
    "Every row sums to 1.")

query_key_scores = Exercise(
    "query_key_scores", answers.query_key_scores,
    ((_normal(5, 3), _normal(3, 3), _normal(3, 3)), (_normal(4, 4), _normal(4, 2), _normal(4, 2)),
     (_normal(3, 3), _normal(3, 3), _normal(3, 3))),
    (
        Mistake("transposed", (answers.key_query_scores,),
                "Your matrix is the right one on its side: row i should hold the scores of word i's "
                "*query*. Which of the two is transposed?"),
        Mistake("query with query", (answers.query_query_scores,),
                "You compared queries with queries: the scores are symmetric again. Compare each query "
                "with each key."),
        Mistake("key with key", (answers.key_key_scores,),
                "You compared keys with keys: the scores are symmetric again. The word that looks sends "
                "its query."),
        Mistake("keys left out", (answers.plain_scores,),
                "These are the scores of step 5, X Xt: neither matrix is in it."),
        Mistake("scaled", (answers.scaled_query_key_scores,),
                "Right, and divided by the square root of head_dim already: that is the next step. "
                "Leave it out here."),
    ),
    "Row i: what word i asks, against what every word offers.")

scaled_scores = Exercise(
    "scaled_scores", answers.scaled_scores,
    ((_normal(5, 2), _normal(5, 2)), (_normal(3, 16), _normal(7, 16))),
    (
        Mistake("not scaled", (answers.unscaled_scores,),
                "These are the plain dot products. Divide them by the square root of head_dim."),
        Mistake("by head_dim", (answers.scores_over_dim,),
                "You divided by head_dim itself. A sum of head_dim products spreads like its square "
                "root: divide by that."),
        Mistake("by words", (answers.scores_over_words,),
                "You divided by the root of the number of words. The spread comes from the number of "
                "products in each dot product: head_dim, the last axis of the query."),
        Mistake("multiplied", (answers.scores_multiplied,),
                "You multiplied by the square root: the scores spread even more. Divide."),
        Mistake("squared", (answers.scores_over_square,),
                "You divided by head_dim squared. Its square *root*."),
    ),
    "The spread no longer grows with head_dim.")

causal_weights = Exercise(
    "causal_weights", answers.causal_weights, ((_normal(5, 5),), (_normal(4, 4) + 3.0,)),
    (
        Mistake("after, not renormalised", (answers.masked_after_softmax,),
                "You masked after the softmax: the future is gone, but its share went with it, and only "
                "the last row sums to 1. Mask the scores before the softmax (or divide each row by what "
                "is left)."),
        Mistake("zero", (answers.masked_with_zero,),
                "You set the future's scores to 0. exp(0) is 1, so the future still gets a share. The "
                "score whose exponential is 0 is minus infinity."),
        Mistake("diagonal too", (answers.masked_diagonal,),
                "You hid each word from itself as well, and the first word has nothing left to look at. "
                "A word sees itself and what came before."),
        Mistake("past", (answers.masked_past,),
                "You hid the past and kept the future. Row i may see columns 0 to i: the lower left "
                "triangle."),
        Mistake("no mask", (answers.softmax_rows,),
                "Every word still sees every other: nothing is masked."),
        Mistake("over queries", (answers.causal_over_queries,),
                "The mask is right, the softmax runs down the columns: your columns sum to 1. Shares "
                "run along a row."),
        Mistake("ones", (answers.masked_added_one,),
                "You added the 0/1 mask to the scores. That favours the past a little; it hides "
                "nothing. Put minus infinity where the mask is 0."),
    ),
    "The future has weight exactly 0, and every row sums to 1.")

_attention_case = tuple(_normal(*shape) for shape in ((5, 4), (4, 3), (4, 3), (4, 3)))
_square_case = tuple(_normal(4, 4) for _ in range(4))

self_attention = Exercise(
    "self_attention", answers.self_attention, (_attention_case, _square_case),
    (
        Mistake("embeddings mixed", (answers.attention_without_value,),
                "You mixed the words' embeddings. What is mixed now is their values, X W_value."),
        Mistake("over queries", (answers.attention_over_queries,),
                "Your softmax runs down the columns: axis 0 is the queries. Each row should sum to 1: "
                "the last axis."),
        Mistake("by the model width", (answers.attention_width_scaled,),
                "You divided by the root of the model's width, X.shape[-1]. The dot products are "
                "between queries and keys: it is the root of *their* length, head_dim."),
        Mistake("not scaled", (answers.attention_unscaled,),
                "All there, but the scores are not divided by the square root of head_dim."),
        Mistake("by head_dim", (answers.attention_over_dim,),
                "You divided by head_dim; it is its square root."),
        Mistake("no mask", (answers.attention_unmasked,),
                "Every word sees the words after it. This exercise is causal: mask the scores before "
                "the softmax."),
        Mistake("masked after", (answers.attention_masked_after,),
                "You masked after the softmax without renormalising: your context vectors are too "
                "short, most of all the first."),
        Mistake("weights transposed", (answers.attention_transposed,),
                "Your weights are transposed before they meet V: word i gets what others gave to i, "
                "instead of what i looks at."),
    ),
    "You have written self-attention down.")

_heads_case = (*tuple(_normal(*shape) for shape in ((5, 6), (6, 6), (6, 6), (6, 6), (6, 6))), 3)
_two_heads_case = (*tuple(_normal(*shape) for shape in ((4, 4), (4, 4), (4, 4), (4, 4), (4, 4))), 2)

multi_head = Exercise(
    "multi_head", answers.multi_head, (_heads_case, _two_heads_case),
    (
        Mistake("one head", (answers.one_wide_head,),
                "That is one head as wide as the model. Cut Q, K and V into heads first; each has "
                "weights of its own."),
        Mistake("interleaved", (answers.heads_interleaved, answers.heads_interleaved_joined),
                "You cut the heads along the wrong axis: head 0 got columns 0, heads, 2 heads, ... "
                "instead of its own neighbouring columns. reshape(words, heads, head_dim), in this "
                "order."),
        Mistake("words mixed", (answers.heads_without_transpose, answers.heads_joined_without_transpose),
                "You reshaped to (heads, words, head_dim) directly: that deals out whole words to the "
                "heads. Reshape to (words, heads, head_dim), then swap the first two axes."),
        Mistake("scaled by the width", (answers.heads_width_scaled,),
                "You scaled by the root of the model's width. Each head's dot products are head_dim = "
                "width / heads long."),
        Mistake("averaged", (answers.heads_averaged,),
                "You averaged the heads' contexts. They are put beside each other, then the output "
                "matrix mixes them."),
        Mistake("no output matrix", (answers.heads_without_output,),
                "The joined contexts are there. The output matrix is missing: joined @ W_out."),
        Mistake("output transposed", (answers.heads_output_transposed,),
                "You multiplied by the output matrix on its side. joined @ W_out: its rows belong to "
                "the heads."),
        Mistake("no mask", (answers.heads_unmasked,),
                "Every word sees the words after it. This exercise is causal, in every head."),
    ),
    "Several patterns at once, each with its own write.")

#: All of them, by name, in order.
exercises: dict[str, Exercise] = {
    exercise.name: exercise
    for exercise in (dot_product, softmax, mix, softmax_rows, query_key_scores, scaled_scores,
                     causal_weights, self_attention, multi_head)
}
