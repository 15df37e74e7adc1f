"""Names that the scripts, the plugins and the pipeline file share."""

WINDOWS = {"1d": 1, "7d": 7, "30d": 30}
DELAY_DAYS = 7
"""From a transaction to the moment its label is known."""

CUSTOMER = [f"customer_{what}_{size}" for size in WINDOWS for what in ("count", "mean")]
TERMINAL = [f"terminal_{what}_{size}" for size in WINDOWS for what in ("count", "risk")]
FEATURES = ["amount", "during_weekend", "during_night", *CUSTOMER, *TERMINAL]
"""The vector, in the handbook's order."""

WHOLE = {name for name in FEATURES if "during" in name or "count" in name}
"""Features that are whole numbers: no two computations of them may differ at all."""

MODELS = {
    "logistic": "logistic regression",
    "tree": "decision tree, depth 2",
    "forest": "random forest",
    "boosted": "XGBoost",
}

TRANSACTIONS = "handbook.transactions"
LABELS = "handbook.labels"
SCORES = "handbook.scores"
DEAD_LETTERS = "handbook.dead-letters"
LATE = "handbook.late"
TOPICS = [TRANSACTIONS, LABELS, SCORES, DEAD_LETTERS, LATE]
PARTITIONS = 4
