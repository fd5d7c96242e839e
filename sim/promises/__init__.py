"""What contracts are made of: what a retrier promises, how its waits are spread, and what an invariant sees.

`promises` and `waits` are what retriers state; `terms` is what a history cannot say of itself; a `view` is a history
with its terms, and an `invariant` looks at views. May import `history`, `measure`, `laws` and below.
"""
