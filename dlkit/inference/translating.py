"""How does a LiteRT file write translations, without TensorFlow?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlkit.contracts import Rows, take
from dlkit.errors import RunError
from dlkit.inference.decoding import Search, Tensors
from dlkit.inference.litert import interpreter
from dlkit.inference.quiet import silent_standard_error
from dlkit.inference.sentences import SentenceAnswer

STATE, CACHE = "state_", "cache_"
"""What the names of the tensors begin with that go from `encode` to all steps, and from a step to the next."""


class Translator:
    """A loaded `.tflite` file of a translator, with the signatures `encode`, `step` and `greedy`.

    `search`: how to look for translations, the run's own way where it is None. Greedily that is one call a sentence,
    else a call a piece, of all hypotheses. Not safe for use by several threads at once.
    """

    def __init__(self, path: Path, answer: SentenceAnswer, *, search: Search | None = None, threads: int = 1) -> None:
        self._path, self._longest, self._text = path, answer.longest, answer.pieces.decode
        own = Search(beam=answer.beam, length_penalty=answer.length_penalty)
        if search is not None and search.length_penalty is None:
            search = replace(search, length_penalty=answer.length_penalty)
        self.search = own if search is None else search
        self._interpreter = interpreter(path, threads=threads)
        missing = {"encode", "step", "greedy"} - set(self._interpreter.get_signature_list())
        if missing:
            raise RunError(f"{path} has no signature {sorted(missing)[0]!r}: it is of another model. Export it again.")
        names = ("greedy",) if self._in_one_call(answer) else ("encode", "step")
        self._call: dict[str, Any] = {name: self._interpreter.get_signature_runner(name) for name in names}
        self._made: set[str] = set()

    def _in_one_call(self, answer: SentenceAnswer) -> bool:
        return self.search.is_greedy and self.search.length_penalty == answer.length_penalty

    def run(self, inputs: Mapping[str, np.ndarray | Rows]) -> np.ndarray:
        """{"source": rows of ids int32} to (rows, n (1 + longest)) float32, see `SentenceAnswer`."""
        source = inputs["source"]
        found = [self._translated(take(source, np.array([row]))) for row in range(len(source))]
        return np.concatenate([np.zeros((0, self.search.best * (1 + self._longest)), np.float32), *found])

    def _translated(self, source: np.ndarray) -> np.ndarray:
        source = source[:, : int((source[0] > 0).sum())]  # what is not padded needs no mask
        if "greedy" in self._call:
            return self._run("greedy", source=source)["outputs"]
        return self.search.run(self, source, self._longest, reading=self._text).outputs

    def encode(self, source: np.ndarray) -> tuple[Tensors, Tensors]:
        """See `decoding.Steps`; one sentence."""
        found = self._run("encode", source=source)
        return (
            {name: tensor for name, tensor in found.items() if name.startswith(STATE)},
            {name: tensor for name, tensor in found.items() if name.startswith(CACHE)},
        )

    def step(self, pieces: np.ndarray, position: int, state: Tensors, cache: Tensors) -> tuple[np.ndarray, Tensors]:
        """See `decoding.Steps`."""
        found = self._run("step", pieces=pieces, position=np.array(position, np.int32), **state, **cache)
        return found.pop("chances"), found

    def _run(self, name: str, **tensors: np.ndarray) -> dict[str, np.ndarray]:
        try:
            if name in self._made:
                return dict(self._call[name](**tensors))
            with silent_standard_error():  # it tells of its delegate when it makes its tensors
                self._made.add(name)
                return dict(self._call[name](**tensors))
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0][:200]
            raise RunError(f"{self._path} cannot run on these inputs ({reason}); export it again.") from error
