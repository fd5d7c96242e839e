"""The outside world: how long things take, what goes wrong when, and who asks for what. May import `sim.kernel`."""
