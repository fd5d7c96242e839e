"""Guests: retry code that people ship, unmodified, in simulated time."""
