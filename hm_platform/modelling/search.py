"""Exact search for the best-scored articles, in bounded memory."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 32


def top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k highest scores of each row and their columns; ties go to the lower column.

    scores : shape (n, m); returns two tensors of shape (n, min(k, m)), best first
    """
    n, m = scores.shape
    chunks = m // CHUNK
    if chunks <= 2 * k:
        return _top_k(scores, min(k, m))
    # A column among the best lies in one of the k chunks of columns with the highest maxima, of
    # equal ones the lower: k other chunks would each have a better column. Maxima are found at the
    # speed of memory, which the k best of a long row are not.
    maxima = scores[:, : chunks * CHUNK].unflatten(1, (chunks, CHUNK)).amax(dim=2)
    chosen = torch.sort(_top_k(maxima, k)[1], dim=1).values
    columns = (chosen[:, :, None] * CHUNK + torch.arange(CHUNK)).flatten(1)
    rest = torch.arange(chunks * CHUNK, m).expand(n, -1)
    columns = torch.cat([columns, rest], dim=1)
    values, places = _top_k(torch.gather(scores, 1, columns), k)
    return values, torch.gather(columns, 1, places)


def _top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The same, for rows of k columns or more, going through all of them."""
    values, columns = torch.topk(scores, min(k + 1, scores.shape[1]), dim=1)
    # topk says nothing about which of several equal scores it takes. That matters only in rows
    # whose next score is equal to the k-th best.
    crowded = torch.nonzero((values[:, k:] == values[:, k - 1 : k]).any(dim=1)).squeeze(1)
    values, columns = values[:, :k], columns[:, :k]
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
    scores: Tensor,
) -> tuple[Tensor, Tensor]:
    """The k articles of highest ``<customer, article> + bias + extra`` for each customer.

    customers : shape (n, d); articles : shape (m, d), m > 0; bias : shape (m,)
    extra : row, column and value, each of shape (entries,), added to single scores, no pair twice
    scores : shape (n, block), block > 0, is written to: room for the scores of so many articles at
        once. Room that is new for each search takes as long to get as the scores take to compute

    Returns scores and articles, of shape (n, min(k, m)), best first, ties to the lower article.
    """
    row, column, value = extra
    block = scores.shape[1]
    best = customers.new_empty((len(customers), 0))
    found = torch.empty((len(customers), 0), dtype=torch.int64, device=customers.device)
    for start in range(0, len(articles), block):
        end = min(start + block, len(articles))
        part = scores[: len(customers), : end - start]
        torch.addmm(bias[start:end], customers, articles[start:end].T, out=part)
        here = torch.nonzero((column >= start) & (column < end)).squeeze(1)
        part[row[here], column[here] - start] += value[here]
        values, columns = top_k(part, k)
        # What was found before comes from lower articles and so stands first among equals.
        best, order = top_k(torch.cat([best, values], dim=1), k)
        found = torch.gather(torch.cat([found, columns + start], dim=1), 1, order)
    return best, found
