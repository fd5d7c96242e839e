"""The search of a small world: how far it reaches, and one course of events written down.

A course is the answers to the questions that a run of a small world asks (`sim.explorer.guided`); an answer that is not
written is 0, the undisturbed way. A course is saved with its scenario and replayed bit for bit.
"""

from typing import Annotated, Literal

from pydantic import Field

from sim.options.model import DurationNs, Options

MOST_REQUESTS = 16
MOST_VALUES = 100
MOST_QUESTIONS = 10**9

LARGEST_UNIFORM = 1 - 2**-53
_Uniform = Annotated[float, Field(ge=0, le=LARGEST_UNIFORM)]
_Values = Annotated[tuple[_Uniform, ...], Field(strict=False, min_length=1, max_length=MOST_VALUES)]
StreamValues = Annotated[dict[str, _Values], Field(max_length=MOST_VALUES)]
"""By stream, the numbers on [0, 1) that it may take."""


class Bounds(Options):
    """How far a search of a small world reaches."""

    requests: int = Field(default=1, ge=1, le=MOST_REQUESTS, description="Requests submitted.")
    attempts: int = Field(
        default=3, ge=0, le=1000, description="Attempts of a request that may end in any way; later ones succeed."
    )
    crashes: int = Field(default=0, ge=0, le=100, description="Deaths of the server, at any point of any step.")
    cancels: int = Field(
        default=1, ge=0, le=100, description="Cancels of a request at any point, if the scenario has `cancel`."
    )
    down: DurationNs = Field(default=0, description="How long nothing runs after a death.")
    inflight: Literal["continues", "lost"] = Field(
        default="continues",
        description="Whether effects still to come at the server's death come anyway or are lost.",
    )
    orders: bool = Field(default=True, description="Whether steps due at the same instant happen in any order.")
    values: StreamValues = Field(
        default={}, description="By stream, the numbers on [0, 1) that it may take; by default 0.5 alone."
    )
    steps: int = Field(default=10_000, ge=1, le=10**9, description="Steps of one run.")


class Answer(Options):
    """The answer to one question."""

    question: int = Field(
        ge=0, le=MOST_QUESTIONS, description="Its number, in the order in which questions are asked; the first is 0."
    )
    answer: int = Field(ge=1, le=MOST_QUESTIONS, description="The way it goes; 0 would be the undisturbed one.")
    about: str = Field(
        default="", max_length=1000, description="The question in words; if stated, it must be the one that is asked."
    )


class CourseOptions(Bounds):
    """One course of a small world: the bounds that shape its questions, and the answers other than 0."""

    answers: Annotated[tuple[Answer, ...], Field(strict=False, max_length=10_000)] = Field(
        default=(), description="The answers that differ from the undisturbed way."
    )

    @property
    def answers_by_question(self) -> dict[int, int]:
        """The answers by question."""
        return {answer.question: answer.answer for answer in self.answers}

    @property
    def bounds(self) -> Bounds:
        """The bounds alone."""
        return Bounds(**{name: getattr(self, name) for name in Bounds.model_fields})
