from sim.pictures.data.caption import caption_text


def test_the_caption_names_scenario_seed_requests_and_digest() -> None:
    got = caption_text("crash", 7, 20_000, "0123456789abcdef")
    assert got == "scenario crash | seed 7 | 20,000 requests a cell | digest 0123456789ab"
