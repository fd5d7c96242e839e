"""Parts of a scenario that have options of their own."""
