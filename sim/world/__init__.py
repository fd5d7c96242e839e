"""The outside world: how attempts of the user's action go, their effects, the weather, who asks and when.

May import `laws`, `history`, `options` and `kernel`.
"""
