"""The listwise loss: what the order of a customer's candidates costs."""

from __future__ import annotations

import torch
from torch import Tensor

K = 12
TEMPERATURE = 0.5
EDGE = 2.0
"""Ranks over which the weight of a place falls from one to nothing around the K-th."""
SOFTMAX_SHARE = 0.25


def listwise_loss(
    scores: Tensor, known: Tensor, row: Tensor, column: Tensor, bought: Tensor
) -> Tensor:
    """A smooth NDCG@12 with a softmax beside it, a scalar.

    *Smooth NDCG* (Qin, Liu and Li 2010, "A general approximation framework for direct optimization
    of information retrieval measures", section 4): the rank of a bought article is one plus the
    sum over all other candidates of a sigmoid of the difference of scores. The cut after twelve is
    a sigmoid too. It weighs the top of lists as the metric does, but its gradient vanishes for
    what is far from there.

    *Softmax* (Cao et al. 2007, "Learning to rank: from pairwise approach to listwise approach",
    ListNet's top-one probabilities): pulls up every bought article, wherever it stands.

    scores : shape (n, length); known : bool, (n, length), False for padding
    row, column : int64, shape (positives,), where the bought candidates are; every list has one
    bought : float, shape (n,), how many articles the customer bought, candidates or not
    """
    scores = scores.masked_fill(~known, -1e4)
    n = len(scores)
    ones = torch.ones_like(row, dtype=scores.dtype)
    positives = torch.zeros(n, dtype=scores.dtype).index_add(0, row, ones)
    log_shares = torch.log_softmax(scores, dim=1)[row, column]
    softmax = -(log_shares / positives[row]).sum() / n

    others = scores[row]
    above = torch.sigmoid((others - scores[row, column, None]) / TEMPERATURE)
    # The article itself is among the others, with a sigmoid of one half.
    rank = 0.5 + above.sum(dim=1)
    gain = torch.sigmoid((K + 0.5 - rank) / EDGE) / torch.log2(1 + rank)
    best = torch.cumsum(1 / torch.log2(torch.arange(K, dtype=scores.dtype) + 2), dim=0)
    ideal = best[bought.clamp(1, K).long() - 1]
    ndcg = torch.zeros(n, dtype=scores.dtype).index_add(0, row, gain) / ideal
    return SOFTMAX_SHARE * softmax + 1 - ndcg.mean()
