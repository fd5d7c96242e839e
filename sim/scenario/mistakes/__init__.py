"""Mistakes in a scenario: their places in the file, and the words for them."""
