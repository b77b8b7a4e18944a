"""Pairs of sentences: which of them train, validate and test a translator, and which are left out?

Aligned files or a table of the user's own, a named dataset or a generated sample, all to the same `Splits`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from dlkit.contracts import Split, Splits
from dlkit.data.columns import strings
from dlkit.data.pair_files import PairFiles, Sided, read_pairs
from dlkit.data.pair_samples import pair_sample
from dlkit.data.paths import PathOrDataset, all_judged
from dlkit.data.sources import Source, source
from dlkit.data.splitting import Parted, check_enough, check_names, fingerprint
from dlkit.data.text_notes import key
from dlkit.errors import DataError, SettingsError, did_you_mean

COLUMN = "source"
"""Name of the raw column."""
WHAT = {"train": "training", "validation": "validation", "test": "test"}
SIDES = ("source", "target")
CHARACTERS_A_WORD = 10
"""A sentence without spaces counts as a word for so many characters."""


@dataclass(frozen=True)
class PairData(Parted, PathOrDataset):
    """Settings: which sentences, from which language into which.

    `dataset`: taken where no path is given. `source`, `target`: languages of the dataset, ends of the names of aligned
    files (`train.en`, `train.de`), or columns of a table. `longest`: most words of a training sentence on either side;
    pairs with a longer one, an empty one, or that repeat another one are left out, of pairs to judge by the empty ones
    alone. `sample`: see `pair_samples`.
    `validation_rows`, `validation_fraction`, `test_fraction`, `split_seed`: as of `TextData`.
    """

    dataset: str = "multi30k"
    source: str = "en"
    target: str = "de"
    longest: int = 100
    sample: str = "toy"
    validation_rows: int | None = 1_000
    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    split_seed: int = 0

    def __post_init__(self) -> None:
        check_names(dataset=self.dataset, source=self.source, target=self.target, sample=self.sample)
        if self.source == self.target:
            raise SettingsError(f"data.source and data.target are both {self.source!r}; expected two languages.")
        if isinstance(self.longest, bool) or not isinstance(self.longest, int) or self.longest < 1:
            raise SettingsError(f"data.longest={self.longest!r}: expected a number of words, 1 or more.")
        self._check_parts()

    def _own(self, path: Path, say: Callable[[str], None]) -> Splits:
        say(f"Reading {path}")
        files = read_pairs(path, self.source, self.target)
        if "train" in files.parts:
            check_enough(str(path), len(files.parts["train"]), "pairs of sentences to learn from")
        if files.to_choose_by:
            note = f"{files.to_choose_by} is the only file: it is trained on, and rows drawn from it choose and judge"
            files = replace(files, notes=(*files.notes, note))
        return self._splits(files.parts, files, path.stem, str(path))

    def _own_to_judge(self, path: Path, say: Callable[[str], None]) -> Splits:
        """Pairs as they are, but for empty ones: neither long nor repeated ones are left out."""
        say(f"Reading {path}")
        files = read_pairs(path, self.source, self.target)
        if "test" in files.parts:
            return self._splits({"test": files.parts["test"]}, files, path.stem, str(path))
        every = Sided(*([text for part in files.parts.values() for text in getattr(part, side)] for side in SIDES))
        files = replace(files, notes=(*files.notes, all_judged(path)))
        return replace(self._splits({"test": every}, files, path.stem, str(path)), drawn=True)

    def _named(self, path: Path | None, say: Callable[[str], None], allow_download: bool) -> Splits:
        dataset = source(self.dataset)
        _check_languages(dataset, self.source, self.target)
        from dlkit.data import builders

        loaded = builders.load(self.dataset, path=path, allow_download=allow_download, say=say)
        parts = {
            name: Sided(split.inputs[self.source].tolist(), split.inputs[self.target].tolist())
            for name, split in loaded.splits.items()
        }
        files = PairFiles(parts, loaded.fingerprint, loaded.notes)
        return self._splits(parts, files, self.dataset, loaded.source)

    def _sample(self) -> Splits:
        chosen = pair_sample(self.sample)
        files = PairFiles(chosen.parts, fingerprint([text for rows in chosen.parts.values() for text in rows.texts]))
        return self._splits(files.parts, files, self.sample, f"sample: {chosen.title}", best=chosen.best)

    def _splits(
        self, parts: Mapping[str, Sided], files: PairFiles, name: str, where: str, *, best: float | None = None
    ) -> Splits:
        cleaned: dict[str, Sided] = {}
        notes = [*files.notes]
        for part, rows in parts.items():
            cleaned[part], more = self._clean(part, rows)
            notes += more
            if part != "train" and not len(cleaned[part]):
                raise DataError(
                    f"{where}: expected {WHAT[part]} pairs with a sentence on both sides, got {len(rows)} lines and "
                    "none that has. Fill in the files of this part, or leave them out."
                )
        if "train" in parts:
            check_enough(where, len(cleaned["train"]), "pairs of sentences to learn from")
        else:  # enough to judge a finished run by
            cleaned = {"train": Sided(), "validation": Sided(), **cleaned}
        train = cleaned["train"]
        groups = [key(text) for text in train.source]
        notes += _overlap(cleaned)
        given = {part: Split({COLUMN: strings(rows.source)}, strings(rows.target)) for part, rows in cleaned.items()}
        first, second, third = self._split(given, None, groups)
        return Splits(
            train=first,
            validation=second,
            test=third,
            kinds={COLUMN: "text"},
            name=name,
            source=where if best is not None else f"{where}, {self.source} to {self.target}",
            fingerprint=files.fingerprint,
            sample=best is not None,
            target_name=self.target,
            best={} if best is None else {"bleu": best},
            notes=tuple(notes),
            drawn="test" not in parts,
        )

    def _clean(self, part: str, rows: Sided) -> tuple[Sided, list[str]]:
        """Without empty pairs; of those to learn from also without long and repeated ones; and how many went why."""
        gone: Counter[str] = Counter()
        kept, seen = Sided(), set()
        for pair in zip(rows.source, rows.target, strict=True):
            if not all(side.strip() for side in pair):
                gone["had an empty side"] += 1
            elif part == "train" and max(map(_words, pair)) > self.longest:
                gone[f"had more than data.longest={self.longest} words"] += 1
            elif part == "train" and pair in seen:
                gone["repeated another pair"] += 1
            else:
                kept.source.append(pair[0])
                kept.target.append(pair[1])
                seen.add(pair)
        return kept, [f"{count} {WHAT[part]} pairs {why}; left out" for why, count in gone.items()]


def _words(text: str) -> int:
    return max(len(text.split()), len(text) // CHARACTERS_A_WORD)


def _overlap(parts: Mapping[str, Sided]) -> list[str]:
    """How many sentences to judge by were there to learn from."""
    learnt = {key(text) for text in parts["train"].source}
    notes = []
    for name, rows in parts.items():
        both = sum(key(text) in learnt for text in rows.source) if name != "train" else 0
        if both:
            notes.append(f"{both} of {len(rows)} sentences in {name} occur in train too, which flatters its figures")
    return notes


def _check_languages(dataset: Source, *languages: str) -> None:
    if dataset.target is not None or set(dataset.kinds.values()) != {"text"}:
        raise SettingsError(f"data.dataset={dataset.name!r}: {dataset.title} is not a set of translations.")
    for setting, language in zip(SIDES, languages, strict=True):
        if language not in dataset.kinds:
            raise SettingsError(
                f"data.{setting}={language!r}: {dataset.title}: {', '.join(dataset.kinds)}."
                f"{did_you_mean(language, dataset.kinds)}"
            )
