"""Is every kind of latent model drawn, and do report, card and headline say what its figures rest on?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from dlkit.contracts import Examples, Head, Spec, Tensor
from dlkit.errors import DataError, SettingsError
from dlkit.evaluation.card import write_card
from dlkit.evaluation.headline import headline, rivals
from dlkit.evaluation.latent_drawings import Coded, of_codes
from dlkit.evaluation.latents import Coder
from dlkit.evaluation.plots import Plot, plot, plot_all
from dlkit.evaluation.report import protocol, write_report
from dlkit.evaluation.scores import score
from dlkit.evaluation.usage import usage
from dlkit.inference.answers import ValueAnswer
from dlkit.inference.latents import LatentAnswer
from dlkit.models import compression, latents
from dlkit.models.latent_layers import LatentModel
from dlkit.printing import run_summary

LABEL = {"label": Tensor((), "int32")}


def spec(tensors: Mapping[str, Tensor]) -> Spec:
    return Spec(tensors, {"reconstruction": Head(1)}, {"classes": 3})


def drawn(
    model: LatentModel, tensors: Mapping[str, Tensor], folder: Path, *, rows: int = 12, labels: bool = True
) -> dict[str, Plot]:
    random = np.random.default_rng(0)
    (name, tensor), *_ = tensors.items()
    inputs = {name: random.uniform(size=(rows, *tensor.shape)).astype(np.float32)}
    numbers = np.arange(rows) % 3
    inputs |= {"label": numbers.astype(np.int32)} if "label" in tensors else {}
    coder = Coder(model, tensors)
    known = np.array(["a", "b $x$", None], object)[numbers] if labels else None
    coded = Coded(coder, Examples(inputs), coder.again(inputs), known, ("a", "b $x$", "c"))
    return {one.name: one for one in plot(of_codes(coded, [0.5] * model.latent), folder)}


OF_PICTURES = ["reconstructions", "interpolation", "traversals", "codes_by_class"]


@pytest.mark.parametrize(("rows", "channels"), [(1, 1), (2, 1), (12, 3)])
def test_a_variational_model_of_pictures_is_drawn(rows: int, channels: int, tmp_path: Path) -> None:
    tensors = {"image": Tensor((4, 6, channels))}
    found = drawn(latents.mlp(spec(tensors), code=3, units=(4,)), tensors, tmp_path, rows=rows)
    missing = {1: {"interpolation", "codes_by_class"}, 2: {"codes_by_class"}}.get(rows, set())
    assert set(found) == {*OF_PICTURES, "samples", "units"} - missing
    assert f"{min(rows, 10)} test pictures and their reconstructions from 3 numbers" in found["reconstructions"].alt
    assert "60 pictures that were not in the data" in found["samples"].alt


def test_a_code_of_two_numbers_is_a_plane(tmp_path: Path) -> None:
    tensors = {"image": Tensor((4, 4, 1))}
    found = drawn(latents.mlp(spec(tensors), code=2, units=(4,)), tensors, tmp_path)
    assert "(-1.960 to 1.960)" in found["plane"].alt
    assert "2 classes" in found["codes_by_class"].alt and "component" not in found["codes_by_class"].alt


def test_a_conditional_model_has_a_row_a_class(tmp_path: Path) -> None:
    tensors = {"image": Tensor((4, 4, 1)), **LABEL}
    found = drawn(latents.mlp(spec(tensors), code=2, units=(4,)), tensors, tmp_path)
    assert "30 pictures that were not in the data, a row a class" in found["samples"].alt
    assert "of class a." in found["plane"].alt


def test_a_plain_autoencoder_has_no_prior_to_draw_from(tmp_path: Path) -> None:
    tensors = {"image": Tensor((4, 4, 1))}
    found = drawn(compression.dense(spec(tensors), code=3, units=(4,)), tensors, tmp_path, labels=False)
    assert list(found) == OF_PICTURES
    assert found["codes_by_class"].title == "Codes"
    noisy = drawn(compression.denoising(spec(tensors), code=3, units=(4,)), tensors, tmp_path)
    assert list(noisy) == OF_PICTURES


def test_of_a_table_only_codes_are_drawn(tmp_path: Path) -> None:
    tensors = {"row": Tensor((5,))}
    found = drawn(latents.mlp(spec(tensors), code=3, units=(4,)), tensors, tmp_path)
    assert list(found) == ["codes_by_class", "units"]


ANSWER = LatentAnswer(shape=(2, 2, 1))
SCORES = {"mse": 0.01, "mae": 0.05}


def metrics(**more: object) -> dict[str, object]:
    return {
        "format": 1, "recipe": "vae", "model": "mlp", "task": "generation", "seed": 0, "run": "saved_models/vae/1",
        "data": {"name": "mnist", "sample": False, "train_rows": 9, "validation_rows": 9, "test_rows": 10000},
        "inputs": {"image": "image"},
        "validation": {"elbo": -90.0, **SCORES},
        "test": {"elbo": -92.1, "nll": 88.4, "reconstruction": 66.1, "kl": 26.0, **SCORES},
        "baselines": {"mean_image": {"elbo": -206.8, "nll": 206.8, "mse": 0.07}, "pca": {"mse": 0.02}},
        "artefacts": {"tflite": {"path": "model.tflite", "bytes": 9, "test": SCORES}},
        "latents": {
            "binarise": "static", "code": 50, "active_units": 23, "likelihood": "bernoulli", "samples": 500,
            "nll_rows": 1000, "nll_error": 0.05,
        },
        **more,
    }  # fmt: skip


def test_reconstructions_are_scored_in_the_shape_of_the_input() -> None:
    truth, outputs = np.zeros((3, 2, 2, 1)), np.full((3, 4), 0.5)
    for task in ("generation", "reconstruction"):
        assert score(task, ANSWER, {"reconstruction": truth}, outputs) == {"mse": 0.25, "mae": 0.5}
    with pytest.raises(SettingsError, match="pictures or rows"):
        score("generation", ValueAnswer("x", ""), {"reconstruction": truth}, outputs)
    with pytest.raises(DataError, match="rows that it reconstructs"):
        score("generation", ANSWER, np.zeros(3), outputs)


def test_the_headline_says_how_pixels_were_binarised() -> None:
    assert headline(metrics()) == (
        "On 10,000 test rows of mnist, statically binarised, the bound on the log-likelihood is -92.10 nats a row: "
        "better than the best baseline (mean image -206.8)."
    )
    plain = {"task": "reconstruction", "test": {"mse": 0.01}, "latents": {}, "baselines": {"pca": {"mse": 0.02}}}
    assert "squared, on average: better than the best baseline (pca 0.020)" in headline(metrics(**plain))


def test_bars_of_a_bound_are_as_long_as_it_is_far_from_0() -> None:
    found = {rival.name: rival.share for rival in rivals(metrics())}
    assert found == {"network": pytest.approx(100 * 92.1 / 206.8, abs=0.01), "mean image": 100}


def test_report_and_card_say_what_the_figures_rest_on(tmp_path: Path) -> None:
    tensors = {"image": Tensor((4, 4, 1))}
    plots = drawn(latents.mlp(spec(tensors), code=2, units=(4,)), tensors, tmp_path)
    curves = plot_all("generation", ANSWER, history=[], targets={}, outputs=np.zeros((0, 4)), folder=tmp_path)
    page = write_report(
        metrics(), question="New digits?", settings={}, history=[], plots=[*curves, *plots.values()], mistakes=[],
        folder=tmp_path,
    ).read_text(encoding="utf-8")  # fmt: skip
    assert "Codes of 50 numbers, 23 of them active" in page
    assert "each pixel drawn once" in page
    assert "500 importance samples of each of 1,000 rows, standard error 0.050" in page
    assert "What the codes keep" in page and page.count("<figure>") == 7
    assert '<th scope="col" class="number">mse</th></tr>' in page  # of artefacts, which give no bound
    card = write_card(metrics(), question="New digits?", settings={}, command="dlkit run vae", folder=tmp_path)
    text = card.read_text(encoding="utf-8")
    assert "dlkit generate saved_models/vae/1 --count 16 --seed 0 --out made.png" in text
    assert "It takes a picture and gives a code" in text and "no detector of strange input" in text
    shown = run_summary(metrics(artefacts={}, warnings=[], seconds={"total": 1.0}, peak_memory_mb=1))
    assert "each pixel drawn once" in shown and "500 importance samples of each of 1,000 rows" in shown
    told = metrics()
    told["latents"] = {"code": 50, "classes": ["a b", "c"]}
    assert "--seed 0 --label 'a b' --out made.png" in usage(told).commands[1][1]
    assert "Codes of 50 numbers" in text


def test_the_protocol_says_unit_label_noise_and_what_the_validation_bound_is_of() -> None:
    told = {
        "code": 5, "active_units": 5, "samples": 9, "nll_rows": 20, "nll_error": 0.0, "classes": ["a", "b"],
        "unit": "nats a row", "likelihood": "gaussian", "noise": 0.3, "elbo_samples": 4,
    }  # fmt: skip
    said = protocol(told)
    assert "In nats a row, given its label, values normal around" in said and "standard deviation 0.300" in said
    assert "9 importance samples of each of 20 rows, all there are" in said
    assert "the validation elbo from 4 codes of each validation row" in said
