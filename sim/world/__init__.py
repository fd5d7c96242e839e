"""The outside world: how attempts of the user's action go, their effects, the weather, when requests come, and who asks.

May import `laws`, `history`, `options` and `kernel`.
"""
