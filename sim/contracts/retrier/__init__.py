"""What a retrier owes its caller."""
