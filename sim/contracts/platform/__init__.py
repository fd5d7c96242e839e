"""What the simulated platform owes: invariants that a fault in the simulator itself would break."""
