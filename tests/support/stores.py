"""Stores as tests need them: transactions that stay open, and a store that checks nothing."""

from sim.convex.footprint import Footprint
from sim.convex.store import Store
from sim.convex.transaction import Transaction


class Unchecked(Store):
    """A store that refuses no commit: it shows what the check prevents."""

    def overlaps(self, transaction: Footprint) -> bool:
        """Find no overlap."""
        del transaction
        return False


def opened(store: Store) -> Transaction:
    """Begin a transaction that may commit in a later step."""
    transaction = Transaction(store)
    store.hold(transaction)
    return transaction
