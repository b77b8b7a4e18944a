"""What can be done with a finished run: judge it again, prove its artefacts, add one, compare their speed?"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlkit.catalog import entry, know_layers, load
from dlkit.contracts import Columns, Examples, Spec, Split, Splits, Transform, raw_targets
from dlkit.data.paths import PathOrDataset
from dlkit.errors import RunError
from dlkit.evaluation.scores import Raw, score
from dlkit.evaluation.translation import corpus_of, signatures
from dlkit.export import artefacts
from dlkit.export.latency import decoder_figures, network_figures
from dlkit.export.proof import Proof, keras_model, prove, require, runner, with_signatures
from dlkit.given_rows import as_learnt, check_labels, with_labels
from dlkit.inference.answers import AnyAnswer
from dlkit.inference.decoding import Search
from dlkit.inference.forms import LITERT, artefact_name
from dlkit.inference.latents import LatentInputs
from dlkit.inference.predictor import Predictor, load_answer, load_transform
from dlkit.inference.runs import ASSETS, artefact_path, check_assets, read_json, read_run, write_json
from dlkit.inference.sentences import SentenceAnswer
from dlkit.inference.translation import PairText
from dlkit.judging import judge_latents
from dlkit.ordering import resolve
from dlkit.pipeline import Prepared
from dlkit.preprocessing.latents import wanted
from dlkit.recipe import Recipe, Say
from dlkit.run_folder import proof_entry
from dlkit.settings import as_recorded

_ROWS_IN_BULK = 256
_ROWS_ONE_BY_ONE = 64


@dataclass(frozen=True)
class Finished:
    """A run folder, opened for TensorFlow's side of the house."""

    folder: Path

    @cached_property
    def record(self) -> dict[str, object]:
        record = read_run(self.folder)
        check_assets(self.folder, record)
        missing = [name for name in ("recipe", "task", "model") if not isinstance(record.get(name), str)]
        if missing:
            raise RunError(f"{self.folder / 'run.json'} is damaged: it has no {missing[0]}. Run the recipe again.")
        return record

    @cached_property
    def transform(self) -> Transform:
        return load_transform(self.folder)

    @cached_property
    def answer(self) -> AnyAnswer:
        return load_answer(self.folder)

    @property
    def task(self) -> str:
        return str(self.record["task"])

    @property
    def artefacts(self) -> dict[str, dict[str, object]]:
        found = self.record.get("artefacts")
        if not isinstance(found, dict):
            raise RunError(f"{self.folder / 'run.json'} is damaged: it lists no artefacts.")
        return found

    def recipe(self) -> Recipe:
        """The recipe as it was resolved for this run."""
        if (estimator := self.record.get("estimator")) is not None:
            raise RunError(
                f"{self.folder} was saved by dlkit.{estimator}: the rows it was fitted on are in no file that could be "
                "read again. dlkit predict and dlkit serve take it; for all else fit and save it anew."
            )
        file, name = self.record.get("recipe_file"), str(self.record["recipe"])
        changes, model = self.record.get("changes"), str(self.record["model"])
        changes = [str(change) for change in changes] if isinstance(changes, list) else []
        found = load(entry(str(file) if file else name))
        return _reading_as(self.record, resolve(found, model, changes)[0])

    def splits(self, data: str | Path | None, say: Say) -> Splits:
        """The rows of this run, or those of `data`; the test split is the same one again."""
        recorded = self.record.get("data")
        argument = recorded.get("argument") if isinstance(recorded, dict) else None
        chosen = str(data) if data is not None else argument
        place: Path | Literal["sample"] | None = None if chosen is None else Path(chosen)
        if chosen == "sample":
            place = "sample"
        recipe = self.recipe()
        splits = with_labels(recipe, self.transform, as_learnt(recipe, self.transform, place, say))
        if data is None and isinstance(recorded, dict) and splits.fingerprint != recorded.get("fingerprint"):
            say(f"note: {splits.source} has changed since the run was made; its test rows may be others")
        return splits

    def judged(self, data: str | Path | None, say: Say) -> Splits:
        """As `splits`; but of other files than those of this run all rows are test rows, where they name none."""
        recipe, recorded = self.recipe(), self.record.get("data")
        if data is None or not isinstance(recipe.data, PathOrDataset):
            return self.splits(data, say)
        place: Path | Literal["sample"] = "sample" if str(data) == "sample" else Path(data)
        found = as_learnt(recipe, self.transform, place, say, judged=True)
        own = isinstance(recorded, dict) and found.fingerprint == recorded.get("fingerprint")
        if own and found.drawn:  # most of all these rows are those of the training
            return self.splits(data, say)
        for note in () if own else found.notes:
            say(f"note: {note}")
        return with_labels(recipe, self.transform, found)

    def truths(self, test: Split) -> Raw:
        """What outputs on these rows are judged against: their targets, of a latent model the rows themselves."""
        if not isinstance(self.transform, LatentInputs):
            return raw_targets(test)
        return raw_targets(Examples({}, wanted(self.transform.clean(test.inputs), test)))

    def run(self, name: str) -> Callable[[Columns], np.ndarray]:
        """A function from raw columns to outputs, by one artefact whose checksum was compared."""
        artefact_path(self.folder, self.record, name)
        if name == "keras":
            know_layers(self.record)
        return runner(self.folder, name, self.transform)


def evaluate(folder: Path, *, data: str | Path | None, artefact: str, say: Say) -> dict[str, object]:
    """Test figures of one artefact: `{"run", "artefact", "rows", "source", "test"}`, of a translator also "signatures"
    and "sources_cut", how many texts were too long to be read whole; of a latent model's Keras file all figures of the
    run, with "latents", what they rest on.
    """
    finished = Finished(folder)
    run = finished.run(artefact)
    splits = finished.judged(data, say)
    check_labels(finished.answer, splits, say)
    outputs = run(splits.test.inputs)
    document = {"run": str(folder), "artefact": artefact, "rows": len(splits.test), "source": splits.source}
    latent = isinstance(finished.transform, LatentInputs)
    if latent and artefact == "keras":
        own = splits if data is None else finished.splits(None, say)
        return document | _latent_figures(finished, replace(own, test=splits.test), outputs)
    figures = score(finished.task, finished.answer, finished.truths(splits.test), outputs)
    if latent:
        say("note: bound, likelihood, active units and probe are of the network itself; for them: --artefact keras")
    if not isinstance(finished.transform, PairText):
        return {**document, "test": figures}
    cut = int(finished.transform.cut(splits.test.inputs).sum())
    if cut:
        longest = finished.transform.longest_source
        say(f"note: {cut} of {len(splits.test)} texts have more than the {longest - 1} pieces that are read; cut there")
    how = signatures(corpus_of(finished.answer, finished.truths(splits.test), outputs))
    return {**document, "test": figures, "signatures": how, "sources_cut": cut}


def _latent_figures(finished: Finished, splits: Splits, outputs: np.ndarray) -> dict[str, object]:
    """All figures of the run's own network on the test rows, with what they rest on."""
    recipe, transform, answer = finished.recipe(), finished.transform, finished.answer
    parts = [recipe.preprocessing.examples(transform, one) for one in (splits.train, splits.validation, splits.test)]
    spec = Spec(transform.tensors, recipe.task.heads(answer))
    prepared = Prepared(recipe, splits, transform, answer, spec, *parts)
    seed = int(str(finished.record.get("seed", 0)))
    found = judge_latents(prepared, keras_model(finished.folder / "model.keras"), outputs, seed=seed)
    return {"test": found.test, "latents": found.more["latents"]}


def verify(folder: Path, *, data: str | Path | None, say: Say) -> dict[str, Any]:
    """Replay raw test rows through every artefact; DisagreementError beyond tolerance (exit code 3)."""
    finished = Finished(folder)
    runs = {name: finished.run(name) for name in finished.artefacts}
    splits = finished.judged(data, say)
    proofs = _proofs(finished, runs, splits.test)
    require(proofs, folder)
    targets = finished.truths(splits.test)
    entries = {
        name: finished.artefacts[name] | proof_entry(proof, finished.task, finished.answer, targets)
        for name, proof in proofs.items()
    }
    return {"run": str(folder), "source": splits.source, "artefacts": entries}


def export(folder: Path, form: str, *, quantize: str | None, data: str | Path | None, say: Say) -> dict[str, Any]:
    """Add one artefact to a run, proven like the others; a failure leaves the run as it was."""
    name = artefact_name(form, quantize)
    with _staging(folder) as staged:
        return _exported(Finished(folder), staged, name, data, say)


def _reading_as(record: Mapping[str, object], recipe: Recipe) -> Recipe:
    """The recipe with the settings of data and preprocessing that the run recorded: its file may have been edited
    since, and would then split or read the rows otherwise; a run that began with another one (`--from`) reads as that.
    """
    settings = record.get("settings")
    stages = ("data",) if recipe.members else ("data", "preprocessing")
    for stage in stages:
        recorded = settings.get(stage) if isinstance(settings, dict) else None
        recipe = as_recorded(recipe, stage, recorded) if isinstance(recorded, dict) else recipe
    return recipe


def _exported(finished: Finished, staged: Path, name: str, data: str | Path | None, say: Say) -> dict[str, Any]:
    folder, metrics = finished.folder, read_json(finished.folder / "metrics.json")
    expected, splits = finished.run("keras"), finished.splits(data, say)
    calibration = finished.recipe().preprocessing.examples(finished.transform, splits.train)
    model = keras_model(folder / "model.keras")
    shutil.copytree(folder / ASSETS, staged / ASSETS)
    entry_of = artefacts.write(
        name, staged, model=model, transform=finished.transform, answer=finished.answer, calibration=calibration
    )
    write_json(staged / "run.json", {**finished.record, "artefacts": {name: entry_of}})
    run = runner(staged, name, finished.transform)
    proofs = {name: prove(finished.answer, expected(splits.test.inputs), run, splits.test.inputs)}
    proofs = with_signatures(
        proofs, model, finished.answer, staged, transform=finished.transform, columns=splits.test.inputs
    )
    require(proofs, folder)
    full = entry_of | proof_entry(proofs[name], finished.task, finished.answer, finished.truths(splits.test))
    recorded = finished.record.get("data")
    if not isinstance(recorded, dict) or splits.fingerprint != recorded.get("fingerprint"):
        full = {key: value for key, value in full.items() if key != "test"} | {"source": splits.source}
        say(f"note: proven on {splits.source}, whose figures would not compare with those of the run; left out there")
    known = metrics.get("artefacts")
    metrics["artefacts"] = {**(known if isinstance(known, dict) else {}), name: full}
    record = {**finished.record, "artefacts": {**finished.artefacts, name: dict(entry_of)}}
    # All is written before anything is put in place, which takes no space on the disk.
    for document, content in (("run.json", record), ("metrics.json", metrics)):
        write_json(staged / f"new-{document}", content)
    _put(staged, folder, list(entry_of.get("parts", [entry_of["path"]])))  # type: ignore[call-overload]  # a list of str
    for document in ("run.json", "metrics.json"):
        (staged / f"new-{document}").replace(folder / document)
    return {"run": str(folder), "artefact": name, **full}


def bench(folder: Path, *, data: str | Path | None, say: Say, seconds: float = 1.0) -> dict[str, Any]:
    """Size, latency of one raw row and throughput of raw rows in bulk, for each artefact of a run, in one process.

    `latency_us`: median microseconds from one raw row to outputs. `rows_per_second`: of batches of 256 raw rows. Of a
    translator by its own search, and by a greedy one as `greedy_latency_us`.
    `speedup`: latency of the SavedModel divided by the artefact's. But for the Keras file also the network alone,
    without encoding, one row at a time: see `export.latency.network_figures`; of a latent
    model also its decoder.
    """
    finished = Finished(folder)
    rows = finished.splits(data, say).test
    result: dict[str, dict[str, float]] = {}
    one = [rows.take(np.array([row])).inputs for row in range(min(len(rows), _ROWS_ONE_BY_ONE))]
    for name, about in finished.artefacts.items():
        say(f"timing {name}")
        run = finished.run(name)
        bulk = rows.take(np.arange(min(len(rows), _ROWS_IN_BULK))).inputs
        latency, throughput = _times(run, one, seconds), _times(run, [bulk], seconds)
        result[name] = {
            "bytes": float(str(about["bytes"])),
            "latency_us": round(1e6 * statistics.median(latency), 1),
            "rows_per_second": round(len(next(iter(bulk.values()))) / statistics.median(throughput), 1),
        }
    base = result.get("saved_model", next(iter(result.values())))["latency_us"]
    for figures in result.values():
        figures["speedup"] = round(base / figures["latency_us"], 2)
    say("timing the networks alone")
    some = rows.take(np.arange(min(len(rows), _ROWS_ONE_BY_ONE))).inputs
    paths = {name: artefact_path(folder, finished.record, name) for name in result}
    answer = finished.answer
    for name, more in network_figures(paths, finished.transform, answer, some, seconds=seconds).items():
        result[name] |= more
    if isinstance(finished.transform, LatentInputs):
        say("timing the decoders alone")
        for name, more in decoder_figures(paths, finished.transform, seconds=seconds).items():
            result[name] |= more
    if isinstance(answer, SentenceAnswer):
        search = Search(beam=1, length_penalty=answer.length_penalty)
        for name in set(LITERT) & set(result):
            greedy = Predictor(folder, artefact=name, search=search).outputs
            latency = _times(greedy, one, seconds)
            result[name]["greedy_latency_us"] = round(1e6 * statistics.median(latency), 1)
    return {"run": str(folder), "artefacts": result}


def _times(run: Callable[[Columns], np.ndarray], inputs: list[Columns], seconds: float) -> list[float]:
    for columns in inputs[:3]:
        run(columns)
    times: list[float] = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or len(times) < 3:
        started = time.perf_counter()
        run(inputs[len(times) % len(inputs)])
        times.append(time.perf_counter() - started)
    return times


def _proofs(finished: Finished, runs: Mapping[str, Callable[[Columns], np.ndarray]], test: Split) -> dict[str, Proof]:
    if "keras" not in runs:
        raise RunError(f"{finished.folder} has no Keras model to compare with. Run the recipe again.")
    expected = runs["keras"](test.inputs)
    again: dict[str, Callable[[Columns], np.ndarray]] = {**runs, "keras": lambda _: expected}
    proofs = {name: prove(finished.answer, expected, run, test.inputs) for name, run in again.items()}
    if not isinstance(finished.transform, LatentInputs | PairText):
        return proofs
    folder, model = finished.folder, keras_model(finished.folder / "model.keras")
    return with_signatures(proofs, model, finished.answer, folder, transform=finished.transform, columns=test.inputs)


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A hidden folder in a run, for one process at a time: an artefact is made and proven there, then put in place."""
    handle = os.open(folder, os.O_RDONLY)
    staged = folder / ".export.partial"
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"Another dlkit export is at work in {folder}. Try again when it is done.") from None
        shutil.rmtree(staged, ignore_errors=True)  # of an export that was killed
        staged.mkdir()
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    finally:
        os.close(handle)


def _put(staged: Path, folder: Path, parts: list[str]) -> None:
    for part in parts:
        if (folder / part).is_dir():  # only an empty folder can be replaced by a rename
            (folder / part).rename(staged / f"old-{part}")
        (staged / part).replace(folder / part)
