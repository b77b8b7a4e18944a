"""Are decoders timed alone, each as the file and as the SavedModel's signature?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlkit.contracts import Spec, Split, Splits
from dlkit.export import artefacts
from dlkit.export.latency import decoder_figures
from dlkit.generation import Generation
from dlkit.models import latents
from dlkit.preprocessing.latents import LatentRows
from dlkit.printing import bench_table


def test_a_decoder_that_is_told_the_class_is_timed(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1)).astype(np.uint8)
    split = Split({"image": pictures}, np.array(["a", "b"] * 10, object))
    task = Generation(labels="condition")
    splits = task.readable(Splits(split, split, split, {"image": "image"}, "x", "x", "sha256:0"))
    transform = LatentRows().fit(splits.train, splits.kinds)
    answer = task.completed(task.fit(splits.train, "label"), transform)
    spec = Spec(transform.tensors, task.heads(answer), task.sizes(answer), transform.tables)
    model = latents.mlp(spec, code=3, units=(4,))
    for name in ("saved_model", "tflite"):
        artefacts.write(name, tmp_path, model=model, transform=transform, answer=answer)
    paths = {
        name: tmp_path / file for name, file in {"saved_model": "saved_model.pb", "tflite": "model.tflite"}.items()
    }
    found = decoder_figures({**paths, "keras": tmp_path / "model.keras"}, transform, seconds=0.05)
    assert set(found) == {"saved_model", "tflite"}
    assert found["saved_model"]["decoder_speedup"] == 1
    ratio = found["saved_model"]["decoder_latency_us"] / found["tflite"]["decoder_latency_us"]
    assert found["tflite"]["decoder_speedup"] == pytest.approx(ratio, abs=0.01)
    assert "decoder alone" in bench_table({name: {"bytes": 1.0, **one} for name, one in found.items()})


def test_what_no_artefact_has_is_no_column() -> None:
    assert "decoder" not in bench_table({"tflite": {"bytes": 1.0, "latency_us": 2.0}})
