"""The model card: what a model is for, what it was made from, how good it is and what it is not.

After Mitchell et al. 2019, "Model cards for model reporting", with the sections that apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

METRICS = ("map", "recall", "ndcg", "hit_rate", "coverage")


def model_card(manifest: Mapping[str, Any]) -> str:
    """The card as Markdown; nothing in it depends on when or where the model was made.

    manifest : the content of a manifest, without ``version`` and ``files``
    """
    parts = [
        f"# Recommender of the week {manifest['week']}",
        _purpose(manifest),
        _data(manifest),
        _scores(manifest),
        _stages(manifest["ranker"]),
        _limits(manifest),
    ]
    return "\n\n".join(parts) + "\n"


def _purpose(manifest: Mapping[str, Any]) -> str:
    why = (
        "the best on the validation week, or as good as the best within the noise"
        if manifest["validation"]
        else "there was no validation week to compare by"
    )
    return (
        "## Purpose\n\n"
        "Twelve articles to show to each customer in the week after the built one. Not made for "
        "prices, stock, or decisions about people.\n\n"
        f"Published: **{manifest['chosen']}**; {why}. "
        f"Code {manifest['code_version']}, seed {manifest['seed']}."
    )


def _data(manifest: Mapping[str, Any]) -> str:
    lines = [f"- {name}: `{digest}`" for name, digest in sorted(manifest["data"].items())]
    network = manifest["network"]
    return (
        "## Data\n\n"
        f"Purchases of {network['customers']:,} customers and {network['articles']:,} articles "
        "were known when the retrieval model was trained. Fingerprints of the splits:\n\n"
        + "\n".join(lines)
    )


def _scores(manifest: Mapping[str, Any]) -> str:
    scores = manifest["validation"]
    if not scores:
        return "## Scores\n\nNobody bought in the validation week, so there are none."
    some = next(iter(scores.values()))
    lines = ["| recommender | " + " | ".join(METRICS) + " |", "|---|" + "---:|" * len(METRICS)]
    for name, values in sorted(scores.items(), key=lambda item: (-item[1]["map"], item[0])):
        lines.append(f"| {name} | " + " | ".join(f"{values[m]:.4f}" for m in METRICS) + " |")
    ranker = manifest["ranker"]
    chose = "the epoch" if "reason" in ranker else "the discount on best sellers"
    since = " The ranker has learnt from it since." if ranker.get("validation_lists") else ""
    return (
        f"## Scores\n\nOn the validation week, all {some['customers']:,.0f} customers who bought, "
        "twelve articles, full catalogue. The week also chose "
        f"{chose} and who is published, so these are a little flattering.{since} The behavioural "
        "report has the test week's, with slices of customers and articles.\n\n" + "\n".join(lines)
    )


def _stages(ranker: Mapping[str, Any]) -> str:
    if "reason" in ranker:
        return f"## Stages\n\nThe retrieval model alone. There is no ranker: {ranker['reason']}."
    recall = [
        "| candidate source | recall | that no other has | articles a customer |",
        "|---|---:|---:|---:|",
    ]
    recall += (
        f"| {name} | {v['recall']:.4f} | {v['only']:.4f} | {v['candidates']:.1f} |"
        for name, v in ranker["recall"].items()
    )
    text = (
        f"## Stages\n\nThe ranker learnt from {ranker['lists']:,} customers' lists of past weeks "
        f"and {ranker['validation_lists']:,} of the validation week, and reads "
        f"{len(ranker['features'])} features of a customer with an article. From its scores "
        f"{ranker['popularity_discount']:g} times the logarithm of the article's sales is taken. "
        "The share of what people bought that was among the candidates:\n\n" + "\n".join(recall)
    )
    if ranker["importance"]:
        weights = ["| features | MAP@12 lost when shuffled |", "|---|---:|"]
        weights += (
            f"| {name} | {loss:.4f} |"
            for name, loss in sorted(ranker["importance"].items(), key=lambda item: -item[1])
        )
        text += "\n\n" + "\n".join(weights)
    return text


def _limits(manifest: Mapping[str, Any]) -> str:
    return (
        "## Limits\n\n"
        "- It knows purchases only: not what was looked at, in stock, or returned.\n"
        "- A customer without purchases gets what people of the same segment buy; an article "
        "without sales is never recommended.\n"
        "- It learns what people bought, also where that was because of promotions or earlier "
        "recommendations.\n"
        "- Seasons that the training split does not hold are unknown to it."
    )
