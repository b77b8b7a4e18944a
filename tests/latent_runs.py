"""Which runs do the tests of latent models ask? Untrained networks in whole run folders, quickly made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dlkit.export.proof import Proof
from dlkit.inference import Predictor, load
from dlkit.inference.runs import write_json
from dlkit.ordering import order
from dlkit.pipeline import Prepared, prepare
from dlkit.run_folder import Content, prove_content, write_content
from dlkit.tasks import readable
from dlkit.training.fit import compile_model, outputs, seeded

PICTURES = ["model.code=3", "model.units=8"]
CASES = {
    "vae": ("vae", "mlp", ["preprocessing.binarise=static", *PICTURES]),
    "conditional": ("vae", "conditional", PICTURES),
    "joint": ("vae", "joint", PICTURES),
    "plain": ("autoencoder", "dense", PICTURES),
    "rows": ("autoencoder", "dense", [*PICTURES, "data.sample=houses"]),
    "table": ("vae", "table", [*PICTURES, "data.sample=houses"]),
    "classes": ("autoencoder", "joint", PICTURES),
}
TOLD = ("vae", "table", [*PICTURES, "data.target=kind", "task.labels=condition"])
"""Rows of a table, of which the model is told one column."""


@dataclass(frozen=True)
class Made:
    """A run of an untrained network: what it says is of no use, and has to be the same everywhere."""

    prepared: Prepared
    folder: Path
    proofs: dict[str, Proof]

    @property
    def predictor(self) -> Predictor:
        return load(self.folder)


def made(root: Path, case: str) -> Made:
    data = "sample" if case in CASES else table_of_kinds(root)
    name, model, changes = CASES.get(case, TOLD)
    asked = order(name, model=model, data=data, changes=changes, out=root)
    recipe = asked.recipe
    prepared = prepare(recipe, readable(recipe.task, recipe.data.load(data, say=lambda _: None)))
    with seeded(0):
        network = prepared.build()
    compile_model(network, prepared.objective, recipe.training, epoch=10)
    content = Content(prepared.transform, prepared.answer, network, [])
    folder = root / case / "1"
    folder.mkdir(parents=True)
    origin = {"recipe": name, "task": recipe.task.name, "model": model, "question": "?", "changes": changes, "seed": 0}
    write_content(folder, content, {**origin, "data": {"argument": data}})
    write_json(folder / "metrics.json", {})
    inputs = prepared.splits.test.inputs
    return Made(prepared, folder, prove_content(folder, content, outputs(network, prepared.served), inputs))


def table_of_kinds(folder: Path) -> str:
    rows = [
        f"{row % 17},{row % 5 / 2},{'north' if row % 3 else 'south'},{'old' if row % 2 else 'new'}" for row in range(90)
    ]
    (folder / "houses.csv").write_text("\n".join(["rooms,size,side,kind", *rows]) + "\n", encoding="utf-8")
    return str(folder / "houses.csv")


def made_once(root: Path) -> Callable[[str], Made]:
    """The run of a case, made when it is first asked for."""
    known: dict[str, Made] = {}

    def one(case: str) -> Made:
        if case not in known:
            known[case] = made(root, case)
        return known[case]

    return one


def items(run: Made, count: int = 3) -> list[object]:
    columns = {name: column[:count].tolist() for name, column in run.prepared.splits.test.inputs.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
