"""What the simulated platform owes: what a fault in the simulator itself would break."""
