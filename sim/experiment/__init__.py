"""How a run is planned, cut into chunks, simulated in processes, and measured. May import `engine` and below."""
