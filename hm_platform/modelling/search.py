"""Exact search for the best-scored articles, in bounded memory."""

from __future__ import annotations

import torch
from torch import Tensor

ARTICLE_BLOCK = 16384


def top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k highest scores of each row and their columns; ties go to the lower column.

    scores : shape (n, m); returns two tensors of shape (n, min(k, m)), best first
    """
    k = min(k, scores.shape[1])
    values, columns = torch.topk(scores, k, dim=1)
    # topk says nothing about which of several equal scores it takes. That matters only in rows
    # where more scores reach the k-th best than there is room for.
    crowded = torch.nonzero((scores >= values[:, -1:]).sum(dim=1) > k).squeeze(1)
    if len(crowded):
        order = torch.sort(scores[crowded], dim=1, descending=True, stable=True)
        values[crowded], columns[crowded] = order.values[:, :k], order.indices[:, :k]
    columns, by_column = torch.sort(columns, dim=1)
    values, by_value = torch.sort(
        torch.gather(values, 1, by_column), dim=1, descending=True, stable=True
    )
    return values, torch.gather(columns, 1, by_value)


def search(
    customers: Tensor,
    articles: Tensor,
    bias: Tensor,
    extra: tuple[Tensor, Tensor, Tensor],
    k: int,
    block: int = ARTICLE_BLOCK,
) -> tuple[Tensor, Tensor]:
    """The k articles of highest ``<customer, article> + bias + extra`` for each customer.

    customers : shape (n, d); articles : shape (m, d), m > 0; bias : shape (m,)
    extra : row, column and value, each of shape (entries,), added to single scores, no pair twice
    block : articles that are scored at once: the most that is held is (n, block) scores

    Returns scores and articles, of shape (n, min(k, m)), best first, ties to the lower article.
    """
    row, column, value = extra
    best = customers.new_empty((len(customers), 0))
    found = torch.empty((len(customers), 0), dtype=torch.int64, device=customers.device)
    for start in range(0, len(articles), block):
        part = slice(start, start + block)
        scores = customers @ articles[part].T + bias[part]
        here = torch.nonzero((column >= start) & (column < start + scores.shape[1])).squeeze(1)
        scores[row[here], column[here] - start] += value[here]
        values, columns = top_k(scores, k)
        # What was found before comes from lower articles and so stands first among equals.
        best, order = top_k(torch.cat([best, values], dim=1), k)
        found = torch.gather(torch.cat([found, columns + start], dim=1), 1, order)
    return best, found
