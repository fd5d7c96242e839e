"""The search for parameters worth choosing among. May import `experiment` and below."""
