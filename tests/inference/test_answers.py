"""Is the answer of one artefact that of another one?"""

from __future__ import annotations

import numpy as np

from dlkit.inference.answers import ClassAnswer

ANSWER = ClassAnswer(("cat", "dog", "owl"))


def test_a_row_agrees_where_our_class_is_the_likeliest_there_alone_or_among_equals() -> None:
    ours = np.array([[0.5, 0.3, 0.2]] * 5)
    theirs = np.array([[0.6, 0.2, 0.2], [0.4, 0.5, 0.1], [0.4, 0.4, 0.2], [0.2, 0.4, 0.4], [np.nan, 0.1, 0.2]])
    assert ANSWER.agrees(ours, theirs).tolist() == [True, False, True, False, False]


def test_of_two_classes_each_side_of_a_half_is_one() -> None:
    answer = ClassAnswer(("neg", "pos"))
    ours, theirs = (answer.comparable(np.array(column)[:, None]) for column in ([0.6, 0.4, 0.6], [0.5, 0.4, 0.4]))
    assert answer.agrees(ours, theirs).tolist() == [True, True, False]


def test_rounding_alone_makes_no_other_answer() -> None:
    ours = np.array([[0.40001, 0.39999, 0.2]] * 3)
    theirs = np.array([[0.39999, 0.40001, 0.2], [0.39991, 0.40009, 0.2], [0.39985, 0.40015, 0.2]])
    assert ANSWER.agrees(ours, theirs).tolist() == [True, True, False]
    answer = ClassAnswer(("neg", "pos"))
    pairs = [answer.comparable(np.array(column)[:, None]) for column in ([0.50001, 0.5002], [0.49999, 0.4998])]
    assert answer.agrees(*pairs).tolist() == [True, False]
