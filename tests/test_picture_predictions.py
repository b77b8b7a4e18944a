"""Does `dlkit predict` answer for pictures as people have them: files, folders, lists, good and bad ones mixed?"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlkit.asking import answered_each, items_from
from dlkit.contracts import ColumnKind
from dlkit.data.samples import sample
from dlkit.errors import InputError
from dlkit.telling import answer_lines

RECIPE = '''"""Which shape does a picture show?"""

import keras

from dlkit import Classification, ImageData, Images, Recipe, Training


def net(spec):
    inputs = keras.Input(spec.inputs["pixels"].shape, dtype="uint8", name="pixels")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    x = keras.layers.GlobalMaxPooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(spec.head.units, activation=spec.head.activation)(x))


recipe = Recipe(
    data=ImageData(),
    preprocessing=Images(size=32),
    task=Classification(),
    model=net,
    training=Training(epochs=1, batch_size=100),
)
'''
SHAPES = ["circle", "cross", "square", "triangle"]
RUN = "pictures"
PICTURES: dict[str, ColumnKind] = {"image": "image"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`pictures/1`, made once; only to be read."""
    from dlkit.api import run

    root = tmp_path_factory.mktemp("pictures")
    (root / "pictures.py").write_text(RECIPE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DLKIT_CACHE", str(root / "cache"))
        environment.delenv("DLKIT_DATA", raising=False)
        environment.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        run(root / "pictures.py", data="sample", out=root / "runs")
    return root / "runs"


@pytest.fixture
def album(finished: Path, alone: Path) -> Path:
    """A run in `saved_models/`, and pictures in `album/`: two good, one bad, one in a folder, and a text."""
    shutil.copytree(finished, alone / "saved_models")
    album = alone / "album"
    (album / "more").mkdir(parents=True)
    pixels = sample("shapes").rows.inputs["image"]
    Image.fromarray(pixels[3]).save(album / "a.png")
    Image.fromarray(pixels[1]).resize((90, 60)).save(album / "b.JPG", "JPEG")
    (album / "c.gif").write_bytes(b"this is no picture")
    Image.fromarray(pixels[2]).convert("L").save(album / "more" / "d.bmp")
    (album / "notes.txt").write_text("no picture either", encoding="utf-8")
    return album


def test_the_run_holds_what_a_run_of_pictures_should(finished: Path):
    metrics = json.loads((finished / RUN / "1" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["data"]["sample"] is True
    assert set(metrics["artefacts"]) == {"keras", "saved_model", "tflite"}
    for name, entry in metrics["artefacts"].items():
        assert entry["agreement"] == 1.0 and entry["max_abs_diff"] <= 1e-4, name
    assert {"majority", "linear"} <= metrics["baselines"].keys()


@pytest.mark.parametrize("path", ["album/a.png", "album/b.JPG", "album/more/d.bmp"])
def test_a_picture_gets_its_three_likeliest_classes(cli, album: Path, path: str):
    ended = cli("predict", RUN, path)
    assert (ended.code, ended.err) == (0, "")
    ((first, *others),) = [line.split("  ") for line in ended.out.splitlines()]
    shares = [float(part.split(" ")[1].rstrip("%")) for part in (first, *others)]
    assert len(shares) == 3 and shares == sorted(shares, reverse=True) and sum(shares) <= 100.1
    (answer,) = cli("predict", RUN, path, "--json").document["answers"]
    assert answer["file"] == path and sorted(answer["probabilities"]) == SHAPES
    assert first == f"{answer['label']} {answer['score']:.1%}"


@pytest.mark.parametrize("top", [1, 2, 4, 9])
def test_top_says_how_many_classes_are_shown(cli, album: Path, top: int):
    (line,) = cli("predict", RUN, "album/a.png", "--top", top).out.splitlines()
    assert line.count("%") == min(top, 4)
    assert cli("predict", RUN, "album/a.png", "--top", 0).code == 2


def test_several_pictures_are_answered_in_their_order_each_with_its_file(cli, album: Path):
    paths = ["album/more/d.bmp", "album/a.png", "album/b.JPG"]
    lines = cli("predict", RUN, *paths).out.splitlines()
    assert [line.split("  ")[-1] for line in lines] == paths
    together = cli("predict", RUN, *paths, "--json").document["answers"]
    alone = [cli("predict", RUN, path, "--json").document["answers"][0] for path in paths]
    assert [answer["file"] for answer in together] == paths
    assert [answer["label"] for answer in together] == [answer["label"] for answer in alone]
    scores = [[answer["probabilities"][shape] for shape in SHAPES] for answer in (*together, *alone)]
    np.testing.assert_allclose(scores[:3], scores[3:], atol=1e-6)
    assert len({tuple(row) for row in np.round(scores[:3], 6)}) == 3


def test_a_folder_stands_for_its_pictures_by_name_at_any_depth(cli, album: Path):
    ended = cli("predict", RUN, "album", "--json")
    assert ended.code == 0
    assert [answer["file"] for answer in ended.document["answers"]] == [
        "album/a.png",
        "album/b.JPG",
        "album/c.gif",
        "album/more/d.bmp",
    ]


def test_hidden_files_of_a_folder_are_no_pictures(cli, album: Path):
    for name in (".thumb.jpg", "__MACOSX/._a.png", "more/._d.bmp"):
        (album / name).parent.mkdir(exist_ok=True)
        (album / name).write_bytes(b"not for people")
    found = cli("predict", RUN, "album", "--json").document["answers"]
    assert [answer["file"] for answer in found] == ["album/a.png", "album/b.JPG", "album/c.gif", "album/more/d.bmp"]


@pytest.mark.parametrize("header", ["image,label", "path,label", "label,photo"])
def test_a_table_of_pictures_is_asked_of_as_it_is_trained_on(cli, album: Path, header: str):
    """Its column of paths is found, and these begin in its folder; rows without one are left out."""
    rows = ["a.png,x", "more/d.bmp,y", ",z"] if header.endswith("label") else ["x,a.png", "y,more/d.bmp", "z,"]
    (album / "list.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    ended = cli("predict", RUN, "--file", "album/list.csv", "--json")
    assert [answer["file"] for answer in ended.document["answers"]] == ["album/a.png", "album/more/d.bmp"]
    (album / "list.csv").write_text("name,label\nx,y\n", encoding="utf-8")
    ended = cli("predict", RUN, "--file", "album/list.csv")
    assert ended.code == 1 and "no column holds paths of pictures; it has name, label" in ended.err


def test_bad_pictures_among_good_ones_cost_only_their_own_answer(cli, album: Path):
    ended = cli("predict", RUN, "album/c.gif", "album/a.png", "album/none.png", "album/notes.txt", "--json")
    assert ended.code == 0, ended.err
    bad, good, absent, text = ended.document["answers"]
    assert "label" in good and "error" not in good
    assert set(bad) == set(absent) == set(text) == {"file", "error"}
    assert bad["error"].startswith("album/c.gif: no picture that can be read; expected JPEG, PNG")
    assert absent["error"].startswith("album/none.png: cannot be read (No such file")
    assert text["error"].startswith("album/notes.txt: no picture that can be read")
    lines = cli("predict", RUN, "album/c.gif", "album/a.png").out.splitlines()
    assert lines[0].startswith("error: album/c.gif: no picture") and lines[1].endswith("  album/a.png")


@pytest.mark.parametrize(
    "given", [("album/c.gif",), ("album/none.png", "album/c.gif"), ("album/" + "x" * 300,), ("album/a\0b",)]
)
def test_bad_pictures_alone_end_with_1(cli, album: Path, given: tuple[str, ...]):
    ended = cli("predict", RUN, *given, "--json")
    assert ended.code == 1
    assert [answer["file"] for answer in ended.document["answers"]] == list(given)
    assert all("error" in answer for answer in ended.document["answers"])
    as_text = cli("predict", RUN, *given)
    assert as_text.code == 1 and as_text.out.count("error: ") == len(given) and "Traceback" not in as_text.err


@pytest.mark.parametrize("folder", ["empty", "album/texts"])
def test_a_folder_without_pictures_costs_only_its_own_answer(cli, album: Path, folder: str):
    Path(folder).mkdir()
    (Path(folder) / "notes.txt").write_text("x", encoding="utf-8")
    ended = cli("predict", RUN, "album/a.png", f"{folder}/", "album/b.JPG", "--json")
    assert ended.code == 0, ended.err
    first, empty, last = ended.document["answers"]
    assert "label" in first and "label" in last
    assert empty == {"file": f"{folder}/", "error": f"{folder}/ holds no picture; expected files such as .jpg or .png."}
    lines = cli("predict", RUN, "album/a.png", folder).out.splitlines()
    assert lines[0].endswith("  album/a.png") and lines[1] == f"error: {empty['error']}"


def test_a_folder_without_pictures_alone_ends_with_1_and_its_error(cli, album: Path):
    Path("empty").mkdir()
    ended = cli("predict", RUN, "empty", "--json")
    assert ended.code == 1
    assert ended.document["answers"] == [
        {"file": "empty", "error": "empty/ holds no picture; expected files such as .jpg or .png."}
    ]
    as_text = cli("predict", RUN, "empty")
    assert as_text.code == 1 and as_text.out.startswith("error: empty/ holds no picture")


def test_nothing_to_predict_on_is_said(cli, album: Path):
    ended = cli("predict", RUN)
    assert ended.code == 2
    assert "nothing to predict on: give a picture, a folder, --file FILE, or paths as lines" in ended.message


def test_paths_come_from_files_and_standard_input_too(cli, album: Path):
    paths = ["album/a.png", "album/more"]
    expected = cli("predict", RUN, *paths, "--json").document["answers"]
    assert [answer["file"] for answer in expected] == ["album/a.png", "album/more/d.bmp"]
    Path("list.txt").write_text("\n".join(paths) + "\n\n", encoding="utf-8")
    Path("list.csv").write_text("image,label\n" + "".join(f"{path},x\n" for path in paths), encoding="utf-8")
    Path("list.jsonl").write_text("\n".join(json.dumps({"image": path}) for path in paths), encoding="utf-8")
    for suffix in ("txt", "csv", "jsonl"):
        ended = cli("predict", RUN, "--file", f"list.{suffix}", "--json")
        assert ended.code == 0, ended.err
        assert ended.document["answers"] == expected, suffix
    assert cli("predict", RUN, "--json", stdin="\n".join(paths) + "\n").document["answers"] == expected
    both = cli("predict", RUN, "album/b.JPG", "--file", "list.txt", "--json").document["answers"]
    assert [answer["file"] for answer in both] == ["album/b.JPG", "album/a.png", "album/more/d.bmp"]


def test_a_list_that_is_not_there_is_said(cli, album: Path):
    ended = cli("predict", RUN, "--file", "none.txt")
    assert ended.code == 4
    assert "--file: none.txt is not there" in ended.message


def test_the_saved_model_answers_as_the_file_does(cli, album: Path):
    lite, saved = (
        cli("predict", RUN, "album", "--artefact", name, "--json").document for name in ("tflite", "saved_model")
    )
    assert (lite["artefact"], saved["artefact"]) == ("tflite", "saved_model")
    for one, other in zip(lite["answers"], saved["answers"], strict=True):
        assert one["file"] == other["file"]
        assert one.get("error") == other.get("error")
        assert one.get("label") == other.get("label")
        shares = [[answer.get("probabilities", {}).get(shape, 0.0) for shape in SHAPES] for answer in (one, other)]
        np.testing.assert_allclose(*shares, atol=1e-5)


def test_a_picture_of_next_to_no_pixels_is_answered_with_a_warning(cli, album: Path):
    Image.new("RGB", (3, 40), "red").save("tiny.png")
    ended = cli("predict", RUN, "tiny.png")
    assert ended.code == 0
    assert "\n  warning: the picture has 3 x 40 pixels only" in ended.out


# Items and answers, without a run


@pytest.mark.parametrize("count", [1, 32, 70])
def test_a_few_pictures_at_a_time_are_asked_about_and_all_answered(count: int):
    asked: list[int] = []

    def predict(items):
        asked.append(len(items))
        if len(items) > 1 and "3" in items:
            raise InputError("one of these")
        if "3" in items:
            raise InputError("3: is bad")
        return [{"label": f"of {item}"} for item in items]

    answers = answered_each(predict, [*map(str, range(count))], PICTURES)
    assert [answer["file"] for answer in answers] == [str(row) for row in range(count)]
    assert answers[3:4] == ([{"file": "3", "error": "3: is bad"}] if count > 3 else [])
    assert all(answer.get("label") == f"of {row}" for row, answer in enumerate(answers) if row != 3)
    assert max(asked) <= 32


def test_an_error_names_the_picture_or_the_row_that_has_it():
    rows = [{"image": "a.png", "class": "x"}, {"class": "y"}, {"image": [[0]], "class": "z"}]

    def predict(items):
        raise InputError("Item 1, column 'class': expected a label seen in training.")

    named = [(answer["file"], answer["error"]) for answer in answered_each(predict, rows, PICTURES)]
    said = ", column 'class': expected a label seen in training."
    assert named == [(name, name + said) for name in ("a.png", "Item 2", "Item 3")]


def test_lines_of_rows_name_their_pictures():
    good = {"file": "a.png", "label": "cat", "score": 0.9}
    rows = [{"image": "a.png", "class": "x"}, {"image": "b.png", "class": "y"}]
    assert answer_lines(rows, [good, {**good, "file": "b.png"}]) == "cat  90.0%  a.png\ncat  90.0%  b.png"


def test_a_failure_that_is_no_pictures_fault_is_not_swallowed():
    def predict(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answered_each(predict, ["a.png"], PICTURES)


def test_lines_name_each_file_once():
    good = {"label": "cat", "score": 0.9, "probabilities": {"cat": 0.9, "dog": 0.08, "owl": 0.02}}
    bad = {"error": "b.png: is bad"}
    assert answer_lines(["a.png"], [good], top=2) == "cat 90.0%  dog 8.0%"
    assert answer_lines(["a.png", "b.png"], [good, bad], top=1) == "cat  90.0%  a.png\nerror: b.png: is bad"


def test_folders_stand_for_their_pictures_and_not_for_texts(tmp_path: Path):
    (tmp_path / "a.png").touch()
    for kind, expected in (("text", str(tmp_path)), ("image", str(tmp_path / "a.png"))):
        assert items_from([str(tmp_path)], None, io.StringIO("x"), {kind: kind}) == [expected]


def test_an_empty_folder_among_pictures_is_an_item_whose_error_names_it(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "good.png").touch()
    given = [str(tmp_path / "good.png"), f"{tmp_path / 'empty'}/"]
    items = items_from(given, None, io.StringIO("x"), PICTURES)
    assert items == given

    def predict(some):
        if given[1] in some:
            raise InputError(f"{given[1]}: cannot be read (Is a directory).")
        return [{"label": "cat"} for _ in some]

    good, empty = answered_each(predict, items, PICTURES)
    assert good == {"file": given[0], "label": "cat"}
    assert empty == {
        "file": given[1],
        "error": f"{tmp_path / 'empty'}/ holds no picture; expected files such as .jpg or .png.",
    }
