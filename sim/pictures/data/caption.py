"""The caption of a picture: which simulation it shows."""


def caption_text(scenario: str, seed: int, requests: int, digest: str, replications: int = 1) -> str:
    """Return the caption of a run's pictures: scenario, seed, requests of each cell, first digits of the digest."""
    size = f"{requests:,} requests" + (f" x {replications} replications" if replications > 1 else "")
    return f"scenario {scenario} | seed {seed} | {size} a cell | digest {digest[:12]}"
