"""Logs of calls read, described by laws, and written as a scenario. May import `experiment` and below."""
