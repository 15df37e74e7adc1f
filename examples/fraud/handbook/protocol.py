"""How the handbook judges a model: which transactions train it, which test it, and by what figures.

Written from the handbook's description (its chapters 3.3 and 4). A model learns from one week, a second one passes until its
labels are known, and the third tests it. Customers known to be defrauded are left out: their cards are blocked by then.
"""

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from names import MODELS

TRAINING_STARTS = np.datetime64("2018-07-25")
TRAINING_DAYS = DELAY_DAYS = TEST_DAYS = 7
CARDS = 100
"""That investigators look at in a day."""

PUBLISHED = {
    "logistic": (0.871, 0.606, 0.291),
    "tree": (0.763, 0.496, 0.241),
    "forest": (0.867, 0.658, 0.287),
    "boosted": (0.862, 0.639, 0.273),
}
"""The handbook's table of baseline models: AUC ROC, average precision, card precision@100."""


def split(table):
    """Masks of the transactions to train with, and of those to test with."""
    day = (table["event_time"].astype("datetime64[ms]") - TRAINING_STARTS) // np.timedelta64(1, "D")
    customer, fraud = table["customer_id"], table["fraud"] == 1
    training = (day >= 0) & (day < TRAINING_DAYS)
    test = np.zeros(len(day), bool)
    defrauded = set(customer[training & fraud])
    for number in range(TEST_DAYS):
        # Labels are a week late: yesterday that of eight days ago became known.
        defrauded.update(customer[(day == TRAINING_DAYS + number - 1) & fraud])
        today = day == TRAINING_DAYS + DELAY_DAYS + number
        test |= today & ~np.isin(customer, list(defrauded))
    return training, test, day


def card_precision(day, customer, fraud, score):
    """The share of the 100 most suspicious cards of a day that are defrauded; those found are out of the later days."""
    found, shares = set(), []
    for today in np.unique(day):
        here = day == today
        cards, place = np.unique(customer[here], return_inverse=True)
        highest, guilty = np.full(len(cards), -np.inf), np.zeros(len(cards), bool)
        np.maximum.at(highest, place, score[here])
        np.logical_or.at(guilty, place, fraud[here] == 1)
        still = ~np.isin(cards, list(found))
        cards, highest, guilty = cards[still], highest[still], guilty[still]
        top = np.argsort(-highest, kind="stable")[:CARDS]
        shares.append(guilty[top].sum() / CARDS)
        found.update(cards[top][guilty[top]])
    return float(np.mean(shares))


def judge(day, customer, fraud, score):
    return (
        roc_auc_score(fraud, score),
        average_precision_score(fraud, score),
        card_precision(day, customer, fraud, score),
    )


def report(figures):
    """A table in Markdown: ours beside the published ones."""
    lines = [
        "| model | AUC ROC | published | average precision | published | card precision@100 | published |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for model, ours in figures.items():
        cells = [f"{figure:.3f}" for pair in zip(ours, PUBLISHED[model], strict=True) for figure in pair]
        lines.append(f"| {MODELS[model]} | {' | '.join(cells)} |")
    return "\n".join(lines)
