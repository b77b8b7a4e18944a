"""Does the server take the recent steps of a series, and give its next ones?"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("nicegui", reason="the server is the extra 'serve'")

from dlkit.errors import InputError
from dlkit.inference import Predictor
from dlkit.inference.forecasts import ForecastAnswer
from dlkit.inference.inputs import columns_from
from dlkit.inference.series import Channel, SeriesInputs
from dlkit.serving.batch import read_table
from dlkit.serving.payload import read_question, write_answers
from dlkit.serving.served import ServedModel

HOUR = np.timedelta64(3_600_000_000_000, "ns")


class Loads(Predictor):
    """Repeats the last value; a quantile lies 1 to each side."""

    def __init__(self) -> None:
        self.recipe, self.version, self.run, self.task = "forecast", 1, Path(), "forecasting"
        self.question = "How will a series go on?"
        self.transform = SeriesInputs(
            (Channel("load"),), window=3, horizon=2, targets=1, known=(Channel("holiday"),), time="at", step=HOUR
        )
        self.answer = ForecastAnswer(("load",), (0.0,), (1.0,), (1.0,), quantiles=(0.1, 0.5, 0.9))
        self.kinds, self.choices, self.labels = self.transform.kinds, {}, ()

    def outputs(self, columns):
        last = self.transform.encode(columns)["past"].take(np.arange(len(columns["load"])))[:, -1:, :]
        return np.repeat(last, 2, axis=1) + np.array([-1.0, 0.0, 1.0])


def ask(body: object) -> list[dict[str, object]]:
    model = Loads()
    question = read_question(json.dumps(body).encode(), model.kinds)
    return write_answers(ServedModel(model).predict(question.items), by_column=False)["predictions"]  # type: ignore[return-value]  # a list of answers


def table_item(lines: list[str]) -> list[dict[str, Any]]:
    return read_table("\n".join(lines).encode(), most_rows=100).items(Loads().kinds, Loads().transform)


def test_an_instance_is_a_list_of_numbers_a_channel() -> None:
    item = {"at": ["2024-01-01 08:00", "2024-01-01 09:00"], "load": [1, 2, 3, 4], "holiday": [0] * 6}
    (answer,) = ask({"instances": [item]})
    assert answer["time"] == ["2024-01-01T10:00", "2024-01-01T11:00"]
    assert answer["forecast"] == {"load": [4.0, 4.0]}
    assert answer["quantiles"] == {"load": {"0.1": [3.0, 3.0], "0.5": [4.0, 4.0], "0.9": [5.0, 5.0]}}


def test_the_time_may_be_left_out() -> None:
    (answer,) = ask({"instances": [{"load": [1, 2, 3], "holiday": [0] * 5}]})
    assert answer["time"] is None and answer["forecast"] == {"load": [3.0, 3.0]}


@pytest.mark.parametrize(
    "item, expected",
    [
        ({"load": [1, 2], "holiday": [0] * 5}, "expected 3 steps or more, got 2"),
        ({"load": [1, 2, None], "holiday": [0] * 5}, "is missing"),
        ({"load": [1, 2, "three"], "holiday": [0] * 5}, "number 3: expected a number"),
        ({"load": 7, "holiday": [0] * 5}, "expected a list of numbers"),
        ({"load": [1, 2, 3], "holiday": [0] * 3}, "expected 5 steps or more, got 3"),
        ({"load": [1, 2, 3], "holiday": [0] * 5, "at": "some day"}, "expected a time such as"),
        ({"load": [1, 2, 3]}, "column 'holiday'"),
        ({"load": [1] * 9, "holiday": [0] * 9}, "Item 1, column 'holiday': expected 11 steps, 2 more than of 'load'"),
        ({"load": [1] * 9, "holiday": [0] * 5}, "expected 11 steps, 2 more than of 'load', got 5"),
    ],
)
def test_what_cannot_be_forecast_from_is_refused(item: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        ask({"instances": [item]})
    assert expected in str(caught.value)


def test_an_item_that_is_shifted_is_refused_beside_one_that_is_short() -> None:
    with pytest.raises(InputError, match=r"Item 2, column 'holiday': expected 7 steps, 2 more than of 'load', got 5"):
        ask({"instances": [{"load": [1, 2, 3], "holiday": [0] * 5}, {"load": [1] * 5, "holiday": [0] * 5}]})


@pytest.mark.parametrize("zoned", [False, True])
def test_a_time_is_written_with_a_zone_as_in_training_or_refused(zoned: bool) -> None:
    model = Loads()
    model.transform = replace(model.transform, zoned=zoned)
    item = {"load": [1, 2, 3], "holiday": [0] * 5}
    (answer,) = model.predict([item | {"at": "2024-01-01 09:00+02:00" if zoned else "2024-01-01 09:00"}])
    first, second = ("2024-01-01T08:00Z", "2024-01-01T09:00Z") if zoned else ("2024-01-01T10:00", "2024-01-01T11:00")
    assert answer["time"] == [first, second]
    had = "had one" if zoned else "had none"
    with pytest.raises(InputError, match=f"column 'at': the time is written .* and those of training {had}"):
        model.predict([item | {"at": "2024-01-01 09:00" if zoned else "2024-01-01 09:00Z"}])


def test_a_file_is_one_series_whose_end_may_lie_ahead() -> None:
    rows = ["at,load,holiday", *(f"2024-01-01 0{hour}:00,{hour},0" for hour in range(4))]
    rows += [f"2024-01-01 0{hour}:00,,{hour - 3}" for hour in range(4, 9)]  # further ahead than the horizon
    (item,) = table_item(rows)
    assert [str(time)[:16] for time in item["at"]] == [f"2024-01-01T0{hour}:00" for hour in range(4)]
    assert item["holiday"].tolist() == [0, 0, 0, 0, 1, 2]
    (answer,) = Loads().predict([item])
    assert answer["time"] == ["2024-01-01T04:00", "2024-01-01T05:00"] and answer["forecast"] == {"load": [3.0, 3.0]}
    assert columns_from([item], Loads().kinds)["holiday"].shape == (1, 6)
    with pytest.raises(InputError, match=r"no column 'holiday'"):
        table_item(["load", "1"])


@pytest.mark.parametrize(
    "hours, values, expected",
    [
        ([0, 1, 2, 4, 5, 6], "111...", "2024-01-01T04:00 follows 2024-01-01T02:00"),
        ([0, 1, 2, 3, 3, 4], "1111..", "2024-01-01T03:00 follows 2024-01-01T03:00; expected a step of 1 hour between"),
        ([0, 1, 2, 3, 4], "1111.", "'holiday' is known beforehand; expected 2 rows with it after the last value"),
        ([0, 1, 2, 3, 4], ".....", "none of its last 5 rows has a value of load"),
    ],
)
def test_a_file_whose_future_would_be_shifted_is_refused(hours: list[int], values: str, expected: str) -> None:
    rows = [f"2024-01-01 0{hour}:00,{value.strip('.')},0" for hour, value in zip(hours, values, strict=True)]
    with pytest.raises(InputError, match=expected):
        table_item(["at,load,holiday", *rows])


def test_a_person_pastes_numbers_and_sees_the_steps_ahead() -> None:
    simulation = pytest.importorskip("nicegui.testing.user_simulation", reason="came after NiceGUI 3.0")
    from nicegui import ui

    from dlkit.serving.limits import Limits
    from dlkit.serving.page import define_pages
    from dlkit.serving.served import ServedModels

    async def use() -> None:
        async with simulation.user_simulation() as user:
            define_pages(ServedModels([Loads()]), Limits())
            await user.open("/models/forecast")
            typed = {"load": "1, 2 3;4", "holiday": "0 0 0 0 0 0", "at of the last step": "2024-01-01 09:00"}
            for field in (*user.find(ui.textarea).elements, *user.find(ui.input).elements):
                field.set_value(typed[field.props["label"]])
            user.find("Predict").click()
            await user.should_see(ui.echart)
            (table, *_) = user.find(ui.table).elements
            assert table.rows[0] == {"key": "0", "0": "2024-01-01T10:00", "1": "4 [3, 5]"}

    # NiceGUI's simulation throws the module that defined the pages out of `sys.modules`, and its packages with it.
    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "dlkit"}
    try:
        asyncio.run(use())
    finally:
        sys.modules.update(ours)
