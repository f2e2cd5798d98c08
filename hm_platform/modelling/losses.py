"""Losses over sampled articles."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NOTHING = -1e9
"""The logit of what does not take part. Finite, so that a row in which nothing else takes part has
a gradient of zero and not an undefined one."""


def sampled_softmax(
    own: Tensor,
    shared: Tensor,
    *,
    own_taken: Tensor,
    shared_taken: Tensor,
    log_inclusion: Tensor,
    targets: Tensor,
    target_row: Tensor,
) -> Tensor:
    """Softmax cross-entropy of each bought article against the articles that were not bought.

    The sum over all articles that were not bought is estimated in two strata. A customer's own
    history is summed in full: these are the articles it is hardest to choose among, and a uniform
    sample would hardly ever hold one. All others are estimated from the ``shared`` articles, the
    targets of the whole batch and uniform draws, each divided by its probability of being among
    them, as Yi et al. 2019 ("Sampling-bias-corrected neural modeling for large corpus item
    recommendations", RecSys, section 3) correct in-batch negatives by log Q: without it, popular
    articles would be pushed down for being popular. Accidental hits, shared articles that the
    customer bought or that its history already holds, are masked.

    The articles that a customer bought do not compete with each other: to rank one of them above
    another gains nothing. So the loss of a target with logit s is ``softplus(log Z - s)``, where Z
    is the estimated sum; an example's targets are averaged, then the examples, so that a customer
    with a long shopping list weighs as much as one with a short one, as in MAP.

    own : shape (n, length), logits of each customer's history
    shared : shape (n, s), logits of the shared articles
    own_taken : bool, shape (n, length), where ``own`` is padding or was bought
    shared_taken : bool, shape (n, s), where the customer bought the article or has it in ``own``
    log_inclusion : shape (s,), log probability that an article is shared
    targets : shape (t,), logits of what was bought; target_row : int64, shape (t,), by whom; each
        of the n customers bought something

    Returns a scalar.
    """
    own = own.masked_fill(own_taken, NOTHING)
    shared = (shared - log_inclusion).masked_fill(shared_taken, NOTHING)
    others = torch.cat([own, shared], dim=1)
    log_sum = torch.logsumexp(others, dim=1)
    losses = nn.functional.softplus(log_sum[target_row] - targets)
    counts = torch.bincount(target_row, minlength=len(own)).to(losses.dtype)
    return (losses / counts[target_row]).sum() / len(own)
