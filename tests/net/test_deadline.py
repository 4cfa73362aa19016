"""A deadline that moves."""

from twisted.internet.task import Clock

from emailgency.net.deadline import Deadline


class Case:
    def __init__(self) -> None:
        self.clock = Clock()
        self.passed: list[float] = []
        self.deadline = Deadline(self.clock, lambda: self.passed.append(self.clock.seconds()))

    def after(self, seconds: float) -> list[float]:
        self.clock.advance(seconds)
        return self.passed


def test_it_passes_once() -> None:
    case = Case()
    case.deadline.move(5)
    assert case.after(4) == []
    assert case.after(1) == [5]
    assert case.after(100) == [5]


def test_it_moves_both_ways_with_one_timer() -> None:
    case = Case()
    case.deadline.move(5)
    case.clock.advance(4)
    case.deadline.move(5)
    case.deadline.move(10)
    assert len(case.clock.getDelayedCalls()) == 1
    assert case.after(9) == []
    case.deadline.move(0.5)
    assert case.after(0.5) == [13.5]


def test_without_anything_to_wait_for_it_does_not_pass() -> None:
    case = Case()
    case.deadline.move(5)
    case.deadline.move(None)
    assert case.after(100) == []
    case.deadline.move(5)
    assert case.after(5) == [105]


def test_a_cancelled_one_leaves_no_timer() -> None:
    case = Case()
    case.deadline.move(5)
    case.deadline.cancel()
    assert case.clock.getDelayedCalls() == []
