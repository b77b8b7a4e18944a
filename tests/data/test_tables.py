"""Does a table of the user's own become columns and targets, or a clear refusal?"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from dlkit.contracts import Splits
from dlkit.data.samples import sample
from dlkit.data.tables import Goal, Table, TableData, read_table
from dlkit.errors import DataError, DataNotFoundError, SettingsError

SAID: list[str] = []


def table_file(tmp_path: Path, columns: dict[str, list[str]], name: str = "own.csv", delimiter: str = ",") -> Path:
    path = tmp_path / name
    lines = [delimiter.join(row) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join([delimiter.join(columns), *lines, ""]), encoding="utf-8")
    return path


def columns_of(rows: int = 20, **changed: list[str]) -> dict[str, list[str]]:
    made = {
        "size": [str(10 + 3 * i % 17) for i in range(rows)],
        "colour": ["red" if i % 3 else "blue" for i in range(rows)],
        "price": [str(100 + 7 * i % 13) for i in range(rows)],
    }
    return {**made, **changed}


def read(tmp_path: Path, **changed: list[str]) -> Table:
    return read_table(table_file(tmp_path, {**columns_of(), **changed}), target="price")


def load(data: TableData, path: Path) -> Splits:
    return data.load(path, say=SAID.append)


def test_numbers_and_categories_are_found_by_looking(tmp_path: Path) -> None:
    table = read(tmp_path)
    assert table.kinds == {"size": "number", "colour": "category"}
    assert table.rows.inputs["size"].dtype == np.float64
    assert table.rows.inputs["colour"].tolist()[:2] == ["blue", "red"]
    assert isinstance(table.rows.targets, np.ndarray) and table.rows.targets.dtype == np.float64
    assert table.notes == ()


def test_a_column_that_numbers_all_rows_is_left_out_where_a_target_is_missing(tmp_path: Path) -> None:
    prices = [str(100 + 7 * i % 13) for i in range(20)]
    table = read(tmp_path, row=[str(i + 1) for i in range(20)], price=[*prices[:7], "", *prices[8:]])
    assert "row" not in table.kinds and len(table.rows) == 19
    assert "'row' numbers the rows; left out" in " | ".join(table.notes)


def test_missing_values_are_nan_or_none_and_noted(tmp_path: Path) -> None:
    sizes = ["", "NA", "?", "nan", *["1", "2"] * 8]
    colours = ["null", " ", *["red", "blue"] * 9]
    table = read(tmp_path, size=sizes, colour=colours)
    assert np.isnan(table.rows.inputs["size"]).sum() == 4
    assert table.rows.inputs["colour"].tolist()[:3] == [None, None, "red"]
    assert table.notes == ("missing values in size (4), colour (2)",)


def test_rows_without_a_target_are_left_out_and_noted(tmp_path: Path) -> None:
    table = read(tmp_path, price=["", "NA", "NA", *[str(i) for i in range(17)]])
    assert len(table.rows) == 17
    assert table.rows.inputs["size"][0] == 19
    assert table.notes == ("3 rows without a price were left out ('NA' 2 times)",)


@pytest.mark.parametrize("value", ["inf", "-inf", "Infinity", "1e999"])
def test_an_infinite_number_is_refused_with_its_line_and_the_ways_on(tmp_path: Path, value: str) -> None:
    sizes = ["1", "2", value, *["3"] * 16, value]
    with pytest.raises(DataError, match=r"line 4, column 'size'.*1 more.*data\.categorical=size.*data\.ignore=size"):
        read(tmp_path, size=sizes)
    path = tmp_path / "own.csv"
    assert read_table(path, target="price", categorical=("size",)).kinds["size"] == "category"
    assert "size" not in read_table(path, target="price", ignore=("size",)).kinds


def test_an_infinite_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2, column 'price': 'inf' is infinite"):
        read(tmp_path, price=["inf", *[str(i) for i in range(19)]])


def test_a_column_of_numbers_with_a_stray_word_is_noted(tmp_path: Path) -> None:
    table = read(tmp_path, size=["1", "2"] * 9 + ["3", "three"])
    assert table.kinds["size"] == "category"
    assert "1 of its 20 values are no numbers, the first is 'three' on line 21" in table.notes[0]
    with pytest.raises(DataError, match="line 21, column 'size': expected a number, got 'three'"):
        read_table(tmp_path / "own.csv", target="price", numeric=("size",))


def test_numbers_can_be_categories(tmp_path: Path) -> None:
    table = read_table(table_file(tmp_path, columns_of()), target="price", categorical=("size",))
    assert table.kinds["size"] == "category"
    assert table.rows.inputs["size"][0] == "10"


@pytest.mark.parametrize(
    ("values", "counted"),
    [
        (["12 %", "7%"], "such as '12 %', write them as plain numbers"),
        (['"12,000"', '"1,500.5"'], "such as '12,000', write them"),
        (["$5", "€ 7.50"], "such as '$5', write them"),
        (["913.08", '"1,413.08"'], "such as '1,413.08', write them"),
        (["4.05M", "900K"], "such as '4.05M', write them"),
        (["3", "4-5"], None),
        (["10-12", "7 rooms"], None),
    ],
)
def test_numbers_with_signs_or_parted_thousands_are_words_and_noted(
    tmp_path: Path, values: list[str], counted: str | None
) -> None:
    table = read(tmp_path, rate=[values[i % 2] for i in range(20)])
    assert table.kinds["rate"] == "category"
    notes = " | ".join(table.notes)
    assert counted in notes if counted else "plain numbers" not in notes
    key = read(tmp_path, rate=[f'"{i},000"' for i in range(20)])
    assert "a different word on every row; left out" in key.notes[0] and "such as '0,000'" in key.notes[0]


def test_columns_of_no_use_are_left_out_or_noted(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        key=[f"id{i}" for i in range(20)],
        row=[str(i + 1) for i in range(20)],
        nothing=["NA"] * 20,
        same=["7"] * 20,
        many=[f"w{i % 15}" for i in range(20)],
    )
    assert set(table.kinds) == {"size", "colour", "same", "many"}
    notes = " | ".join(table.notes)
    assert "'key' holds a different word on every row; left out" in notes
    assert "'row' numbers the rows; left out" in notes
    assert "'nothing' has no values; left out" in notes
    assert "'same' is 7 on every row" in notes
    assert "'many' holds 15 different words on 20 rows" in notes
    kept = read_table(tmp_path / "own.csv", target="price", numeric=("row",), categorical=("key",))
    assert {"row": "number", "key": "category"}.items() <= kept.kinds.items()


def test_decimal_commas_are_read_between_semicolons(tmp_path: Path) -> None:
    columns = columns_of(size=["1,5", "2,25"] * 10)
    table = read_table(table_file(tmp_path, columns, delimiter=";"), target="price")
    assert table.rows.inputs["size"].tolist()[:2] == [1.5, 2.25]


def test_commas_beside_points_are_refused_as_they_may_mean_thousands(tmp_path: Path) -> None:
    columns = columns_of(size=["1,5", "1.250"] * 10)
    with pytest.raises(DataError, match=r"'1,5' on line 2 has a comma and '1\.250' on line 3 a point"):
        read_table(table_file(tmp_path, columns, delimiter=";"), target="price")


def test_points_in_a_file_of_decimal_commas_are_refused_where_they_may_part_thousands(tmp_path: Path) -> None:
    prices = [f"{row}85.000" for row in range(1, 10)] * 2
    columns = {"size": ["72,5", "81"] * 9, "price": prices}
    with pytest.raises(
        DataError, match=r"line 2, column 'price': '185\.000' may be 185000 or 185,000.*'72,5' in column"
    ):
        read_table(table_file(tmp_path, columns, delimiter=";"), target="price")
    plain = columns | {"size": ["72.5", "81"] * 9}
    assert read_table(table_file(tmp_path, plain, delimiter=";"), target="price").rows.targets[0] == 185.0


@pytest.mark.parametrize("plain", ["0.125", "1.25"])
def test_points_that_can_only_part_decimals_may_stand_beside_decimal_commas(tmp_path: Path, plain: str) -> None:
    columns = columns_of(size=["1.250", plain] * 10, weight=["1,5", "2,25"] * 10)
    table = read_table(table_file(tmp_path, columns, delimiter=";"), target="price")
    assert table.rows.inputs["size"].tolist()[:2] == [1.25, float(plain)]
    assert table.rows.inputs["weight"].tolist()[:2] == [1.5, 2.25]


def test_a_latin_1_file_and_one_with_a_bom_give_the_same_rows(tmp_path: Path) -> None:
    text = "größe,preis\n" + "".join(f"{i % 5},{i}\n" for i in range(12))
    tables = []
    for encoding in ("latin-1", "utf-8-sig"):
        (tmp_path / "own.csv").write_bytes(text.encode(encoding))
        tables.append(read_table(tmp_path / "own.csv", target="preis"))
    assert tables[0].rows.inputs["größe"].tolist() == tables[1].rows.inputs["größe"].tolist()
    assert "not UTF-8" in tables[0].notes[0] and tables[1].notes == ()


def test_without_a_target_all_columns_are_listed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--set data\.target=NAME\. Columns: size, colour, price\."):
        load(TableData(), table_file(tmp_path, columns_of()))


def test_the_datasets_own_target_is_taken_where_the_file_has_it(tmp_path: Path) -> None:
    splits = load(TableData(), table_file(tmp_path, {**columns_of(), "medv": columns_of()["price"]}))
    assert splits.target_name == "medv"


def test_a_misspelt_column_is_answered_with_the_nearest(tmp_path: Path) -> None:
    path = table_file(tmp_path, columns_of())
    with pytest.raises(SettingsError, match=r"data\.target='prise'.*Did you mean 'price'"):
        load(TableData(target="prise"), path)
    with pytest.raises(SettingsError, match=r"data\.ignore='colours'.*Did you mean 'colour'"):
        load(TableData(target="price", ignore=("colours",)), path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("size,price\n", "no rows below"),
        ("size,price\n1,2\n", "expected at least 10 rows with a target, got 1"),
        ("size,price\n" + "1,2\n2\n" + "3,4\n" * 10, "line 3: expected 2 fields"),
        ("size,price\n" + "".join(f"{i % 4},5\n" for i in range(12)), "the target is 5 on all 12 rows"),
        (
            "size,price\n" + "".join(f"{i % 4},{'x' if i == 3 else i}\n" for i in range(12)),
            "line 5, .*got 'x'.*Classification",
        ),
        ("size,price\n" + "1,\n" * 20, "expected at least 10 rows with a target, got 0"),
        ("size,price\n" + "".join(f"a{i},{i}\n" for i in range(12)), "no column is left to predict 'price' from"),
        ("price\n" + "".join(f"{i}.5\n" for i in range(12)), "no column is left"),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "own.csv").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load(TableData(target="price"), tmp_path / "own.csv")


def test_an_own_file_is_split_and_named(tmp_path: Path) -> None:
    path = table_file(tmp_path, columns_of(100), name="flats.csv")
    splits = load(TableData(target="price"), path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (64, 16, 20)
    assert (splits.name, splits.source, splits.sample) == ("flats", str(path), False)
    assert splits.fingerprint == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert splits.notes == ()
    again = load(TableData(target="price"), path)
    other = load(TableData(target="price", split_seed=1), path)
    assert again.test.inputs["size"].tolist() == splits.test.inputs["size"].tolist()
    assert other.test.inputs["size"].tolist() != splits.test.inputs["size"].tolist()


def test_rows_that_repeat_another_are_counted(tmp_path: Path) -> None:
    assert (
        read(tmp_path, size=["1"] * 20, price=["1"] * 3 + ["2"] * 17).notes[-1]
        == "16 rows repeat another one in every column"
    )


def test_classes_are_split_in_proportion_and_a_single_row_stays_in_training(tmp_path: Path) -> None:
    colours = ["red", "blue"] * 24 + [" red ", "green"]
    path = table_file(tmp_path, columns_of(50, colour=colours))
    splits = load(TableData(target="colour", task="label"), path)
    assert isinstance(splits.test.targets, np.ndarray) and isinstance(splits.train.targets, np.ndarray)
    assert sorted(splits.test.targets) == ["blue"] * 5 + ["red"] * 5
    assert "green" in splits.train.targets
    assert any("1 classes have a single row" in note for note in splits.notes)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("same", "at least 2 classes, got only 'x'"),
        ("measure", "are no classes.*task=value"),
        ("key", "alone in their class"),
    ],
)
def test_a_target_that_is_no_class_is_refused(tmp_path: Path, target: str, message: str) -> None:
    made = columns_of(same=["x"] * 20, measure=[f"{i}.25" for i in range(20)], key=[f"k{i}" for i in range(20)])
    with pytest.raises(DataError, match=message):
        load(TableData(target=target, task="label"), table_file(tmp_path, made))


def test_missing_and_wrong_paths_say_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match=r"no such file or folder.*--data sample"):
        load(TableData(), tmp_path / "no.csv")
    with pytest.raises(DataNotFoundError, match="Of this path only"):
        load(TableData(), tmp_path / "no" / "such" / "file.csv")
    with pytest.raises(DataNotFoundError, match="cannot be looked at"):
        load(TableData(), tmp_path / ("x" * 5000))
    with pytest.raises(DataNotFoundError, match=r"in this folder: none"):
        load(TableData(), tmp_path)
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match="a picture"):
        load(TableData(), tmp_path / "photo.png")


def test_a_folder_with_one_table_is_read_and_one_with_two_is_not(tmp_path: Path) -> None:
    table_file(tmp_path, columns_of(), name="a.csv")
    assert load(TableData(target="price"), tmp_path).name == "a"
    table_file(tmp_path, columns_of(), name="b.csv")
    with pytest.raises(DataNotFoundError, match=r"in this folder: a\.csv, b\.csv"):
        load(TableData(target="price"), tmp_path)


@pytest.mark.parametrize(
    "settings",
    [
        {"test_fraction": 1.5}, {"test_fraction": 0}, {"validation_fraction": float("nan")}, {"split_seed": -1},
        {"split_seed": True}, {"task": "number"}, {"numeric": "size"}, {"ignore": (1,)}, {"target": ""}, {"dataset": 3},
        {"target": "a", "ignore": ("a",)}, {"numeric": ("a",), "categorical": ("a",)},
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_by_name(settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"data\." + next(iter(settings))):
        TableData(**settings)  # type: ignore[arg-type]  # wrong on purpose


def test_the_sample_is_flagged_with_its_best_score() -> None:
    splits = TableData().load("sample", say=SAID.append)
    assert splits.sample and splits.source.startswith("sample: ")
    assert splits.best["mae"] == pytest.approx(1.596, abs=0.001)
    with pytest.raises(SettingsError, match=r"data\.task is 'label'"):
        TableData(task="label").load("sample", say=SAID.append)


def test_settings_of_columns_hold_for_the_sample_or_are_refused() -> None:
    plain = TableData().load("sample", say=SAID.append)
    number, category = "area_m2", "heating"
    chosen = TableData(ignore=(category,), categorical=(number,)).load("sample", say=SAID.append)
    assert {**chosen.kinds, category: "category", number: "number"} == plain.kinds
    assert category not in chosen.kinds and chosen.kinds[number] == "category"
    assert set(chosen.train.inputs) == set(chosen.kinds) and chosen.train.inputs[number].dtype == object
    with pytest.raises(SettingsError, match=f"data.target='{number}' is for a file of your own"):
        TableData(target=number).load("sample", say=SAID.append)
    with pytest.raises(SettingsError, match=r"data\.ignore='heatin': the sample 'houses' has no such column"):
        TableData(ignore=("heatin",)).load("sample", say=SAID.append)


def test_each_split_of_the_species_has_its_share_of_flipped_labels() -> None:
    made = sample("species")
    assert made.strata is not None
    rows = zip(*(made.rows.inputs[name] for name in made.kinds), strict=True)
    flipped = {row: stratum.endswith("True") for row, stratum in zip(rows, made.strata, strict=True)}
    assert len(flipped) == len(made.rows)
    splits = TableData(task="label", sample="species").load("sample", say=SAID.append)
    for part in (splits.train, splits.validation, splits.test):
        share = np.mean([flipped[row] for row in zip(*(part.inputs[name] for name in made.kinds), strict=True)])
        assert share == pytest.approx(1 - splits.best["accuracy"], abs=0.01)


@pytest.mark.parametrize("task", ["value", "label"])
@pytest.mark.parametrize(("name", "what"), [("shapes", "pictures"), ("people", "pictures"), ("reviews", "texts")])
def test_a_sample_that_is_no_table_is_refused(task: Goal, name: str, what: str) -> None:
    with pytest.raises(SettingsError, match=rf"data\.sample='{name}' holds {what}; this recipe reads tables"):
        TableData(task=task, sample=name).load("sample", say=SAID.append)


def test_a_dataset_that_is_no_table_or_a_target_of_another_is_refused() -> None:
    for data, message in (
        (TableData(dataset="imdb"), "not a table with a value"),
        (TableData(task="label"), "not a table with a label"),
        (TableData(target="nox"), "for a file of your own"),
        (TableData(dataset="bostn"), "Did you mean"),
    ):
        with pytest.raises(SettingsError, match=message):
            data.load(None, say=SAID.append)


@pytest.mark.real_data
@pytest.mark.skipif("DLKIT_DATA" not in os.environ, reason="needs $DLKIT_DATA")
def test_boston_is_split_and_columns_can_be_overruled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path))
    splits = TableData(categorical=("chas",), ignore=("b",)).load(None, say=SAID.append)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (324, 81, 101)
    assert splits.target_name == "medv" and "b" not in splits.kinds and len(splits.kinds) == 12
    assert set(splits.train.inputs["chas"]) == {"0", "1"}
    with pytest.raises(SettingsError, match=r"data\.ignore='bb'"):
        TableData(ignore=("bb",)).load(None, say=SAID.append)


def test_all_rows_of_another_file_judge_a_run(tmp_path: Path) -> None:
    path = table_file(tmp_path, columns_of(40))
    splits = TableData(target="price").to_judge(path, say=SAID.append)
    assert len(splits.test) == 40 and splits.drawn and splits.notes[-1] == "own.csv names no test rows: all are judged"
    assert sorted(splits.test.targets) == sorted(read_table(path, target="price").rows.targets)  # type: ignore[arg-type]
