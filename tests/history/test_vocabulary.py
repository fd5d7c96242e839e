"""The words of a history that are built from numbers."""

import pytest

from sim.history.vocabulary import job_not_found, missing_job


@pytest.mark.parametrize("number", [0, 7, 12_345])
def test_the_number_of_a_missing_job_is_read_back(number: int) -> None:
    assert missing_job(job_not_found(number)) == number


def test_the_text_of_a_missing_job_is_the_one_that_digests_cover() -> None:
    assert job_not_found(7) == "job 7 not found"


@pytest.mark.parametrize(
    "text", ["", "run runs:7 not found", "job x not found", "job 7 not found again", "a job 7 not found"]
)
def test_no_other_text_names_a_missing_job(text: str) -> None:
    assert missing_job(text) is None
