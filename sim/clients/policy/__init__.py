"""The parts of a policy, a retrier that is data: one module a part, with its options and its state."""
