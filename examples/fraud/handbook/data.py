"""The handbook's transactions, in order of their numbers, which is that of time."""

import sys

import numpy as np
import pyarrow.parquet as parquet

from names import DELAY_DAYS

DAY = 86_400


class Transactions:
    def __init__(self, path):
        table = parquet.read_table(path).sort_by("TRANSACTION_ID")
        column = lambda name: table[name].to_numpy()
        self.id = column("TRANSACTION_ID").astype(np.int64)
        self.seconds = column("TX_DATETIME").astype("datetime64[s]").astype(np.int64)
        self.customer = column("CUSTOMER_ID").astype(np.int64)
        self.terminal = column("TERMINAL_ID").astype(np.int64)
        self.amount = column("TX_AMOUNT")
        self.cents = np.rint(self.amount * 100).astype(np.int64)
        self.fraud = column("TX_FRAUD").astype(np.int64)
        self.known_at = self.seconds + DELAY_DAYS * DAY
        """When the label becomes known, in seconds as well."""
        self._check()

    def _check(self):
        if not np.array_equal(self.id, np.arange(len(self.id))):
            sys.exit("the transactions are not numbered from 0 on")
        if (np.diff(self.seconds) < 0).any():
            sys.exit("the transactions' numbers are not in the order of time")
        # A few amounts are a rounding error away from their cents; sums of cents are exact.
        if np.abs(self.amount * 100 - self.cents).max() > 1e-9:
            sys.exit("an amount is no whole number of cents")

    def __len__(self):
        return len(self.id)
