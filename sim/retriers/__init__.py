"""Retriers: the two shapes (`base`), the ports of Convex's three, and the baseline. May import world, convex, kernel.

Ports do not import each other; what they share is `backoff`.
"""
