"""How a run is planned, cut into chunks and shared out among processes. May import `engine` and below."""
