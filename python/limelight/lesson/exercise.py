"""An exercise, and how an answer to it is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

Computation = Callable[..., Any]


@dataclass(frozen=True)
class Verdict:
    """What a check found. True when the answer is right; shows itself as its message."""

    right: bool
    message: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return ("Right. " if self.right else "Not yet. ") + self.message


@dataclass(frozen=True)
class Mistake:
    """A usual mistake: what it computes (more than one way where there are several), and the hint."""

    name: str
    computations: tuple[Computation, ...]
    hint: str

    def explains(self, found: list[Any], cases: tuple[tuple[Any, ...], ...]) -> bool:
        """Whether one of its computations gives just these answers."""
        return any(all(same(answer, wrong(*copies(case))) for answer, case in zip(found, cases))
                   for wrong in self.computations)


@dataclass(frozen=True)
class Exercise:
    """A function to be written: `right` is what it should compute, on each of `cases`."""

    name: str
    right: Computation
    cases: tuple[tuple[Any, ...], ...]
    mistakes: tuple[Mistake, ...]
    praise: str

    def check(self, answer: Computation) -> Verdict:
        """Runs the answer on the exercise's own inputs. Never raises for what the answer does: an
        exception in it is a verdict as well."""
        if not callable(answer):
            return Verdict(False, f"{self.name}: pass the function itself, got {type(answer).__name__}.")
        with np.errstate(all="ignore"):
            try:
                found = [answer(*copies(case)) for case in self.cases]
            except Exception as error:  # whatever the reader's own code raises
                return Verdict(False, f"Your function raised {type(error).__name__}: {error}")
            if any(value is None or value is Ellipsis for value in found):
                return Verdict(False, f"{self.name}: your function returns nothing so far.")
            return self._judge(found)

    def _judge(self, found: list[Any]) -> Verdict:
        expected = [self.right(*copies(case)) for case in self.cases]
        if all(same(a, b) for a, b in zip(found, expected)):
            return Verdict(True, self.praise)
        for mistake in self.mistakes:
            if mistake.explains(found, self.cases):
                return Verdict(False, mistake.hint)
        return Verdict(False, first_difference(found, expected))


def copies(case: tuple[Any, ...]) -> list[Any]:
    """Arguments that an answer may write into."""
    return [x.copy() if isinstance(x, np.ndarray) else x for x in case]


def same(found: Any, expected: Any) -> bool:
    """Equal up to rounding, in shape as well. NaN equals NaN: it is a mistake's mark, too."""
    try:
        found = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    expected = np.asarray(expected, dtype=np.float64)
    return found.shape == expected.shape and np.allclose(found, expected, rtol=1e-5, atol=1e-7,
                                                         equal_nan=True)


def first_difference(found: list[Any], expected: list[Any]) -> str:
    """Says of an unknown mistake where it shows first."""
    for value, wanted in zip(found, expected):
        if same(value, wanted):
            continue
        wanted = np.asarray(wanted, dtype=np.float64)
        try:
            value = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            return f"Expected numbers of shape {wanted.shape}, got {type(value).__name__}."
        if value.shape != wanted.shape:
            return f"Expected an array of shape {wanted.shape}, got shape {value.shape}."
        wrong = ~np.isclose(value, wanted, rtol=1e-5, atol=1e-7)
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f"At {place if len(place) != 1 else place[0]}" if place else "There"
        return f"{where} it should be {wanted[place]:.4f}, yours is {value[place]:.4f}."
    raise AssertionError("nothing differs")
