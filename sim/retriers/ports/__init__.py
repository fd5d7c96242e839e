"""The ports of Convex's retriers, and the baseline. They do not import each other; what they share is `backoff`."""
