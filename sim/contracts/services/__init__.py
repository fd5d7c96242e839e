"""What the services of a world owe: the order, the limits, the work, the effects and the answers of calls."""
