"""The outside world: how attempts of the user's action go, their effects, the weather, and when requests come.

May import `laws`, `history`, `options` and `kernel`.
"""
