"""Is a translation asked for as it should be, and is its answer read, saved and compared as a sentence?"""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlkit.contracts import Split
from dlkit.errors import DataError, SettingsError
from dlkit.inference.sentence_pieces import END, SentencePieces
from dlkit.inference.sentences import SentenceAnswer
from dlkit.inference.translation import PairText
from dlkit.translation import Translation

PIECES = SentencePieces(("▁a", "b", "▁c"))
ANSWER = SentenceAnswer(PIECES, longest=4, beam=3, length_penalty=0.6, language="fr")


def test_a_task_knows_its_pieces_from_the_preprocessing() -> None:
    task = Translation(beam=3, length_penalty=0.6)
    transform = PairText("source", PIECES, PIECES, 6, 4)
    rows = Split({"source": np.array(["a"], object)}, np.array(["ab c ab"], object))
    answer = task.completed(task.fit(rows, "fr"), transform)
    assert answer == ANSWER
    assert task.heads(answer)["tokens"].units == 7 and answer.units == 5
    assert task.encode(answer, rows.targets).take(np.array([0])).tolist() == [[4, 5, 6, END]]
    assert (task.loss(answer), task.metrics(answer), task.monitor) == ("tokens:0.1", [], ("bleu", "max"))


def test_outputs_are_read_as_sentences_with_scores_and_others() -> None:
    one = np.array([[-1.5, 4, 5, 0, 0], [-0.5, 6, 0, 0, 0]], np.float32)
    assert ANSWER.decode(one) == [{"translation": "ab", "score": -1.5}, {"translation": "c", "score": -0.5}]
    several = np.concatenate([one, [[-2, 6, 0, 0, 0], [-np.inf, 0, 0, 0, 0]]], axis=1)
    first, second = ANSWER.decode(several)
    assert first == {"translation": "ab", "score": -1.5, "others": [{"translation": "c", "score": -2.0}]}
    assert second == {"translation": "c", "score": -0.5}
    assert ANSWER.decode(np.zeros((0, 5), np.float32)) == []


def test_artefacts_agree_where_the_sentence_is_the_same() -> None:
    ours = np.array([[-1, 4, 5, 0, 0], [-1, 6, 0, 0, 0]], np.float32)
    theirs = np.array([[-1.01, 4, 5, 0, 0], [-1, 6, 6, 0, 0]], np.float32)
    assert ANSWER.agrees(ANSWER.comparable(ours), ANSWER.comparable(theirs)).tolist() == [True, False]


def test_a_saved_answer_is_the_same(tmp_path) -> None:
    ANSWER.save(tmp_path)
    assert SentenceAnswer.load(json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))) == ANSWER


@pytest.mark.parametrize(
    ("options", "name"),
    [({"label_smoothing": 1.0}, "label_smoothing"), ({"beam": 0}, "beam"), ({"beam": 65}, "beam"),
     ({"beam": True}, "beam"), ({"length_penalty": -1.0}, "length_penalty")],
)  # fmt: skip
def test_wrong_settings_are_refused(options: dict[str, object], name: str) -> None:
    with pytest.raises(SettingsError, match=f"task.{name}"):
        Translation(**options)  # type: ignore[arg-type]


def test_other_rows_and_preprocessings_are_refused() -> None:
    from dlkit.inference.text import MultiHotText

    with pytest.raises(SettingsError, match="preprocessing=Pairs"):
        Translation().completed(ANSWER, MultiHotText("text", ("a",)))
    with pytest.raises(DataError, match="pairs of sentences"):
        Translation().encode(ANSWER, None)
