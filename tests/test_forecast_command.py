"""Does a CSV become a forecast, from `dlkit run` to `dlkit predict`, and is a bad one refused in one message?"""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dlkit.asking import recent_from
from dlkit.errors import DlkitError, InputError
from dlkit.export.saved_model import SavedModel
from dlkit.finished import evaluate
from dlkit.inference import Predictor, load
from dlkit.inference.series import SeriesInputs
from dlkit.ordering import order
from dlkit.run_folder import Run, make
from dlkit.telling import answer_lines

HORIZON, WINDOW = 4, 24


def table(count: int, *, ahead: int = 0, first: int = 0) -> list[str]:
    """Hours, a load that follows the hour and a holiday every tenth hour, and the holiday `ahead` hours further."""
    lines = ["when,load,holiday"]
    for hour in range(first, count + ahead):
        time = np.datetime64("2024-03-01T00:00") + np.timedelta64(hour, "h")
        load = f"{20 + 5 * np.sin(hour * np.pi / 12) - 3 * (hour % 10 == 0):.4f}" if hour < count else ""
        lines.append(f"{time},{load},{int(hour % 10 == 0)}")
    return lines


def zoned(lines: list[str], zone: str) -> list[str]:
    return [lines[0], *(line.replace(",", f"{zone},", 1) for line in lines[1:])]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("forecast")
    changes = [
        f"data.window={WINDOW}", f"data.horizon={HORIZON}", "data.targets=load", "data.known=holiday",
        "preprocessing.calendar=day", "task.quantiles=0.1,0.5,0.9", "training.epochs=2", "training.patience=none",
    ]  # fmt: skip
    own = write(folder / "own.csv", table(400))
    return make(order("forecast", model="linear", data=own, changes=changes, out=folder), say=lambda _: None)


@pytest.fixture(scope="module")
def predictor(run: Run) -> Predictor:
    return load(run.folder)


def made(predictor: Predictor) -> SeriesInputs:
    assert isinstance(predictor.transform, SeriesInputs)
    return predictor.transform


def test_skill_is_stated_first_and_the_rest_is_beside_it(run: Run) -> None:
    metrics = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
    assert set(metrics["skill"]) == set(metrics["baselines"]) == {"naive", "seasonal_naive", "linear"}
    assert set(metrics["by_step"]) == {"network", *metrics["baselines"]}
    assert len(metrics["by_step"]["network"]["mse"]) == HORIZON
    assert {"own_mae", "mase"} <= set(metrics["by_step"]["network"])
    assert [row["target"] for row in metrics["per_target"]] == ["load"]
    assert "error_band" not in metrics  # the network gives quantiles
    assert sum(row["windows"] for row in metrics["backtest"]) == metrics["data"]["test_rows"]
    assert {"mse", "mae", "mase", "pinball", "coverage_80"} <= set(metrics["test"])
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "that of linear" in report and "Backtest" in report and "Forecast over history" in report
    assert "By step ahead" in report
    assert {"forecast.svg", "error_by_step.svg"} <= {path.name for path in (run.folder / "plots").iterdir()}


def test_a_file_of_any_length_is_forecast_from_its_end(predictor: Predictor, tmp_path: Path) -> None:
    answers = []
    for count in (WINDOW, 60, 300):
        lines = table(300, ahead=HORIZON + 3, first=300 - count)
        (item,) = recent_from([], write(tmp_path / "recent.csv", lines), None, made(predictor))
        answers += predictor.predict([item])
    # 2024-03-01 and 300 hours.
    assert answers[0]["time"] == ["2024-03-13T12:00", "2024-03-13T13:00", "2024-03-13T14:00", "2024-03-13T15:00"]
    assert answers[0] == answers[1] == answers[2]
    assert answer_lines([item], answers[:1]).splitlines()[1].startswith("2024-03-13T12:00")
    (piped,) = recent_from([], None, StringIO("\n".join(table(300, ahead=HORIZON))), made(predictor))
    assert predictor.predict([piped]) == answers[:1]
    assert isinstance(piped, dict)
    plain = {name: piped[name].tolist() for name in ("load", "holiday")} | {"when": "2024-03-13 11:00"}
    assert predictor.predict(recent_from([], None, StringIO(json.dumps(plain)), made(predictor))) == answers[:1]


def quarters(lines: list[str]) -> list[str]:
    """The same rows, a quarter of an hour apart."""
    start = np.datetime64("2024-03-01T00:00")
    return [lines[0]] + [f"{start + 15 * row},{line.partition(',')[2]}" for row, line in enumerate(lines[1:])]


@pytest.mark.parametrize(
    "lines, expected",
    [
        (table(WINDOW - 1, ahead=HORIZON), "expected 24 steps or more, got 23"),
        (table(100), "'holiday' is known beforehand; expected 4 rows with it after the last value of 'load', got 0"),
        (table(100)[:50] + table(100)[51:] + table(100, ahead=HORIZON)[101:], None),
        (table(100)[:90] + table(100, ahead=HORIZON)[91:], "follows 2024-03-04T16:00; expected a step of 1 hour"),
        (table(90, ahead=6)[:92] + table(90, ahead=6)[93:], "follows 2024-03-04T18:00; expected a step of 1 hour"),
        (table(90, ahead=6)[:93] + table(90, ahead=6)[92:], "24 rows and the 4 ahead. Put in the missing rows"),
        (quarters(table(90, ahead=4)), "rows are 15 minutes apart, and those of training were 1 hour"),
        (zoned(table(90, ahead=4), "Z"), "is written with a zone, and those of training"),
        ([*table(90), "2024-03-01T00:00,1,0"], "expected times in ascending order"),
        ([*table(90)[:-1], "2024-03-04T17:00,broken,0"], "expected a number, got 'broken'"),
        ([line.rpartition(",")[0] for line in table(90)], "has no such column"),
        (["when,load,holiday", "2024-03-01T00:00,,1"], "has a value of load"),
        (["when,load,holiday"], "no rows below it"),
    ],
)
def test_what_cannot_be_forecast_from_is_refused(
    predictor: Predictor, tmp_path: Path, lines: list[str], expected: str | None
) -> None:
    def ask() -> object:
        return predictor.predict(recent_from([], write(tmp_path / "recent.csv", lines), None, made(predictor)))

    if expected is None:  # a gap long before the window is no harm
        assert ask()
        return
    with pytest.raises(DlkitError) as caught:
        ask()
    assert expected in str(caught.value)
    with pytest.raises(DlkitError) as piped:
        predictor.predict(recent_from([], None, StringIO("\n".join(lines)), made(predictor)))
    assert expected in str(piped.value) and "/input" not in str(piped.value)


def test_a_saved_model_takes_raw_steps_and_gives_values_and_times(run: Run, predictor: Predictor) -> None:
    (item,) = recent_from([], None, StringIO("\n".join(table(300, ahead=HORIZON))), made(predictor))
    model = tf.saved_model.load(str(run.folder))
    assert isinstance(item, dict)
    raw = {name: tf.constant(item[name][np.newaxis]) for name in ("load", "holiday")}
    last = tf.constant(item["when"][-1:].astype("datetime64[s]").astype(np.int64))
    found = model.signatures["serving_default"](**raw, when=last)
    (answer,) = predictor.predict([item])
    np.testing.assert_allclose(found["forecast"][0, :, 0], answer["forecast"]["load"], rtol=1e-5)  # type: ignore[index]  # an object
    times = [str(time)[:16] for time in found["time"].numpy()[0].astype("datetime64[s]")]
    assert times == answer["time"]
    assert found["quantiles"].shape == (1, HORIZON, 1, 3)


def test_a_saved_model_refuses_what_the_other_artefacts_refuse(run: Run, predictor: Predictor) -> None:
    (item,) = recent_from([], None, StringIO("\n".join(table(300, ahead=HORIZON))), made(predictor))
    assert isinstance(item, dict)
    item["load"] = np.where(np.arange(len(item["load"])) == len(item["load"]) - 3, np.nan, item["load"])
    columns = predictor.columns([item])
    for refusing in (predictor.outputs, SavedModel(run.folder, predictor.transform).outputs):
        with pytest.raises(InputError, match=r"'load'.* missing"):
            refusing(columns)


def test_a_forecast_of_points_has_a_band_of_validation_errors_and_trains_beside_a_gap(tmp_path: Path) -> None:
    lines = zoned(table(400), "+02:00")
    own = write(tmp_path / "own.csv", lines[:50] + lines[52:])
    changes = [
        f"data.window={WINDOW}", f"data.horizon={HORIZON}", "data.ignore=holiday", "training.epochs=2",
        "training.patience=none", "training.refit=true",
    ]  # fmt: skip
    run = make(order("forecast", model="linear", data=own, changes=changes, out=tmp_path), say=lambda _: None)
    metrics = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
    band = metrics["error_band"]
    assert band["of"] == "validation errors" and band["shares"] == [0.1, 0.9] and 0 < band["test"] <= 1
    assert not any(name.startswith("coverage") for name in metrics["test"])
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "its errors on the validation windows" in report
    assert "80% of validation errors" in (run.folder / "plots" / "forecast.svg").read_text(encoding="utf-8")
    predictor = load(run.folder)
    (item,) = recent_from([], own, None, made(predictor))
    (answer,) = predictor.predict([item])
    assert answer["time"][0] == "2024-03-17T14:00Z"  # type: ignore[index]  # a list


def test_another_artefact_is_judged_on_the_same_windows(run: Run) -> None:
    found = evaluate(run.folder, data=None, artefact="saved_model", say=lambda _: None)
    test = run.metrics["test"]
    assert isinstance(test, dict) and isinstance(found["test"], dict)
    assert found["test"]["mse"] == pytest.approx(test["mse"], rel=1e-4)


def test_k_fold_validation_is_refused_for_it_looks_ahead(tmp_path: Path) -> None:
    asked = order("forecast", model="linear", data="sample", changes=["training.folds=2"], out=tmp_path)
    with pytest.raises(DlkitError, match=r"training.folds=0"):
        make(asked, say=lambda _: None)
    assert not list(tmp_path.glob("forecast/[0-9]*"))
