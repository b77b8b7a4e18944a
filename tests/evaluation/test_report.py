"""Does the report say how good the model is, on one safe page that needs nothing else?"""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from dlkit.errors import RunError
from dlkit.evaluation.card import write_card
from dlkit.evaluation.headline import headline, rivals
from dlkit.evaluation.mistakes import worst_mistakes
from dlkit.evaluation.pages import duration, figure, shortened, size
from dlkit.evaluation.plots import plot_all
from dlkit.evaluation.report import best_figures, write_report
from dlkit.evaluation.thumbnails import thumbnail
from dlkit.inference.answers import ClassAnswer

EVIL = '<script>alert("x")</script>'
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Tags, attributes and visible text of a page, with a check that every tag is closed where it should be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if not self._open or self._open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def report(metrics, folder, *, history=(), plots=(), mistakes=(), settings=None, question="Good or bad?") -> Page:
    path = write_report(
        metrics,
        question=question,
        settings=settings or {},
        history=history,
        plots=plots,
        mistakes=mistakes,
        folder=folder,
    )
    assert path == folder / "report.html"
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def full(imdb, classes, history, text_mistakes, tmp_path) -> Page:
    answer, targets, outputs = classes
    plots = plot_all(
        "classification", answer, history=history, targets=targets, outputs=outputs, folder=tmp_path / "plots"
    )
    settings = {"model": {"units": [16, 16], "dropout": None}, "training": {"epochs": 4}}
    return report(imdb, tmp_path, history=history, plots=plots, mistakes=text_mistakes, settings=settings)


def test_sections_stand_in_pipeline_order_and_every_link_has_its_target(full):
    sections = [attributes["id"] for tag, attributes in full.tags if tag == "h2"]
    assert sections == ["data", "settings", "training", "figures", "answers", "mistakes", "artefacts", "cost", "use"]
    ids = {attributes["id"] for _, attributes in full.tags if "id" in attributes}
    links = [attributes["href"] for tag, attributes in full.tags if tag == "a"]
    assert len(links) == len(sections) + 1
    assert {link.removeprefix("#") for link in links} <= ids


def test_the_page_loads_nothing_from_anywhere(full, tmp_path):
    assert not {"script", "link", "iframe", "object", "embed"} & {tag for tag, _ in full.tags}
    loaded = [attributes[key] for _, attributes in full.tags for key in ("src", "href", "srcset") if key in attributes]
    assert len([target for target in loaded if target.startswith("data:image/svg+xml;base64,")]) == 3
    assert all(target.startswith(("data:", "#")) for target in loaded)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "@import" not in html
    assert not re.search(r"url\(|https?:", html)


def test_every_picture_says_what_it_shows_and_every_table_has_headings(full):
    pictures = [attributes for tag, attributes in full.tags if tag == "img"]
    assert all(len(attributes["alt"]) > 30 for attributes in pictures)
    assert all(attributes["scope"] in ("row", "col") for tag, attributes in full.tags if tag == "th")
    assert ("html", {"lang": "en"}) in full.tags


def test_the_headline_names_figure_baselines_rows_and_data(imdb):
    assert headline(imdb) == (
        "On 25,000 test rows of imdb the network gets 88.4% right: better than the best baseline "
        "(linear 87.8%, majority 50.0%)."
    )


def test_the_headline_of_a_loser_says_so_and_labels_sample_data(boston):
    said = headline(boston)
    assert "sample data for trying out, not the real dataset" in said
    assert "off by 2.310 k$ on average: no better than the best baseline (gradient boosting 2.050 k$" in said


def test_rivals_stand_best_first(imdb, boston):
    assert [rival.name for rival in rivals(imdb)] == ["network", "linear", "majority"]
    assert [(rival.name, rival.share) for rival in rivals(boston)][::2] == [
        ("gradient boosting", 33.83),
        ("mean", 100.0),
    ]


def test_bars_of_translations_end_at_a_bleu_of_100() -> None:
    metrics = {"task": "translation", "test": {"bleu": 40.0}, "baselines": {"copy": {"bleu": 0.5}}}
    assert [rival.share for rival in rivals(metrics)] == [40.0, 0.5]


def test_warnings_come_first_and_sample_figures_are_labelled(boston, tmp_path):
    page = report(boston, tmp_path)
    assert page.text.index("Read this first") < page.text.index("On 102 test rows")
    assert page.text.count("sample data") >= 3
    assert "Of sample data." in page.text


def test_proofs_and_folds_and_commands_are_on_the_page(boston, tmp_path):
    text = report(boston, tmp_path).text
    for piece in ("3d3d3d", "2.4e-07", "100.00 %", "4-fold validation: mae in k$", "2.340", "0.210", "32.5 s"):
        assert piece in text, piece
    assert "dlkit predict saved_models/boston/1 --file rows.csv" in text
    assert 'predictor.predict([{"crim": 1.0, "chas": "a"}])' in text


def test_page_and_card_name_the_run_that_training_went_on_from(imdb, tmp_path):
    metrics = imdb | {"from": "runs/<b>/1"}
    assert "Goes on from runs/<b>/1 Seed" in report(metrics, tmp_path).text
    assert "Goes on from" not in report(imdb, tmp_path).text
    write_card(metrics, question="Which?", settings={}, command="dlkit run imdb", folder=tmp_path)
    assert "Training went on from the run runs/" in (tmp_path / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("classes", "shown"), [(46, 46), (2_000, 50)])
def test_a_page_shows_at_most_fifty_classes_and_says_so(imdb, tmp_path, classes, shown):
    rows = [
        {"label": f"c{i:04}", "precision": 0.5, "recall": 0.5, "f1": 0.5, "support": i % 100} for i in range(classes)
    ]
    page = report(imdb | {"per_class": rows}, tmp_path)
    found = re.findall(r"c\d{4}", page.text)
    assert len(found) == shown and found == sorted(found)
    if classes > shown:
        assert {int(label[1:]) % 100 for label in found} == {97, 98, 99}
        assert "The 50 classes with the most test rows, of 2,000; all of them are in metrics.json." in page.text
    assert (tmp_path / "report.html").stat().st_size < 60_000


def test_an_ensemble_has_a_table_of_epochs_and_settings_by_member(imdb, members_history, tmp_path):
    settings = {"data": {"sample": "wires"}, "members": {"ngrams": {"training": {"epochs": 2}}, "cnn_wide": {}}}
    page = report(imdb | {"best_epoch": 4}, tmp_path, history=members_history, settings=settings)
    assert "All 2 epochs of ngrams as a table epoch accuracy loss val_accuracy val_loss 1 0.900" in page.text
    assert "All 4 epochs of cnn_wide as a table" in page.text
    assert "Epochs ngrams 2, cnn_wide 4" in page.text
    assert "Member ngrams ngrams.training.epochs 2" in page.text
    assert "members" not in page.text


def test_the_page_says_what_the_network_sees_of_a_text(imdb, boston, tmp_path):
    sizes = {"cnn_vocabulary": 20_000, "ngrams_ngrams": 9}
    seen = {**sizes, "train": {"cnn_cut": 0.1}, "validation": {"cnn_cut": 0.0984}}
    page = report(imdb | {"preprocessing": seen}, tmp_path)
    assert "What the network sees of a text part cnn ngrams vocabulary, tokens 20,000 –" in page.text
    assert "texts cut to the longest sequence, validation rows 9.8 % –" in page.text
    assert "What the network sees" not in report(boston | {"preprocessing": {"features": 13}}, tmp_path).text


def test_only_a_run_that_chooses_classes_for_texts_is_told_to_explain(imdb, boston, tmp_path):
    assert 'dlkit explain saved_models/imdb/3 "A text of your own"' in report(imdb, tmp_path).text
    assert "dlkit explain" not in report(boston, tmp_path).text
    assert "dlkit explain" not in report(boston | {"inputs": {"text": "text"}}, tmp_path).text


def test_a_mistake_of_a_picture_is_the_picture_itself_with_what_it_shows_in_words(imdb, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 28, 30, 3), dtype=np.uint8)
    truths = np.array([f"cat {EVIL}", "dog"], object)
    answer = ClassAnswer((f"cat {EVIL}", "dog"))
    mistakes = worst_mistakes("classification", answer, {"image": pixels}, truths, np.array([[0.8], [0.1]]))
    page = report(imdb | {"inputs": {"image": "image"}}, tmp_path, mistakes=mistakes)
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert [picture["alt"] for picture in pictures] == [f"dog, answered as cat {EVIL}", f"cat {EVIL}, answered as dog"]
    for picture, row in zip(pictures, (1, 0), strict=True):
        assert (picture["width"], picture["height"]) == ("90", "84")
        content = base64.b64decode(picture["src"].removeprefix("data:image/png;base64,"))
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), pixels[row])
    assert "test row 1: 30 × 28 pixels dog" in page.text
    assert "image-rendering: pixelated" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("shape", "shown"), [((4, 1), (16, 64)), ((64, 64), (64, 64)), ((300, 600), (128, 64))])
def test_a_thumbnail_is_enlarged_by_whole_numbers_or_shrunk(shape, shown, tmp_path):
    pixels = np.full((*shape, 3), 9, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    for picture in (pixels, tmp_path / "one.png", (tmp_path / "one.png").read_bytes()):
        small = thumbnail(picture)
        assert (small.width, small.height) == shown
        assert small.what.endswith(f"{shape[1]} × {shape[0]} pixels")


def test_user_text_is_never_markup(imdb, history, tmp_path):
    evil = {
        **imdb, "recipe": EVIL, "model": EVIL, "run": f"runs/{EVIL}", "warnings": [EVIL], "versions": {EVIL: EVIL},
        "data": {**imdb["data"], "name": EVIL, "source": EVIL, "notes": [EVIL]},
        "per_class": [{"label": EVIL, "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}],
        "baselines": {EVIL: {"accuracy": 0.1}}, "inputs": {EVIL: "text"},
    }  # fmt: skip
    mistakes = [
        {"input": EVIL, "truth": EVIL, "answer": EVIL, "sureness": EVIL},
        {"input": {EVIL: EVIL}, "truth": EVIL, "answer": EVIL, "sureness": EVIL},
    ]
    page = report(evil, tmp_path, history=history, mistakes=mistakes, settings={EVIL: {EVIL: EVIL}}, question=EVIL)
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(EVIL) >= 20


def test_a_class_name_with_markup_stays_text_inside_the_embedded_pictures(imdb, classes, history, tmp_path):
    answer, targets, outputs = classes
    renamed = type(answer)((EVIL, "pos"))
    targets[targets == "neg"] = EVIL
    plots = plot_all("classification", renamed, history=history, targets=targets, outputs=outputs, folder=tmp_path)
    assert all("<script" not in plot.path.read_text(encoding="utf-8") for plot in plots)
    assert "script" not in {tag for tag, _ in report(imdb, tmp_path, plots=plots).tags}


def test_a_run_with_the_least_has_a_report_too(tmp_path):
    least = {
        "recipe": "tiny", "model": "mlp", "task": "regression", "seed": 0, "test": {"mae": 1.0},
        "data": {"name": "tiny", "source": "rows.csv", "sample": False, "train_rows": 3, "test_rows": 1},
    }  # fmt: skip
    text = report(least, tmp_path).text
    assert "On 1 test row of tiny the network is off by 1.000 on average." in text
    assert "Undefined" not in text
    assert "dlkit predict tiny --file rows.csv" in text


def test_a_note_on_a_list_is_whole_on_the_page_and_short_on_the_card(imdb, tmp_path):
    note = "\n  ".join(["30 pictures are broken:", *(f"{i}.png: bad" for i in range(30))])
    metrics = imdb | {"data": imdb["data"] | {"notes": [note, "2 rows <b>"]}}
    page = report(metrics, tmp_path)
    assert all(f"{i}.png: bad" in page.text for i in range(30))
    assert ("details", {}) in page.tags and "2 rows <b>" in page.text
    write_card(metrics, question="Which?", settings={}, command="dlkit run imdb", folder=tmp_path)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "4.png: bad" in card and "5.png" not in card and "25 lines more" in card


def test_a_text_that_is_no_unicode_can_be_written(imdb, tmp_path):
    mistakes = [{"input": "half \ud83d pair", "truth": "a", "answer": "b", "sureness": "1"}]
    assert "half ? pair" in report(imdb, tmp_path, mistakes=mistakes).text


def test_a_refusing_disk_is_our_error_and_leaves_the_old_report(imdb, tmp_path, monkeypatch):
    report(imdb, tmp_path)
    before = (tmp_path / "report.html").read_bytes()

    def full_disk(_path, _data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full_disk)
    with pytest.raises(RunError, match=r"report\.html cannot be written: No space left on device\."):
        report(imdb, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_bytes() == before


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.88412, "0.884"), (2.3, "2.300"), (23.456, "23.46"), (123.456, "123.5"), (25000, "25,000"),
        (1e6, "1,000,000"), (2.4e-7, "2.4e-07"), (0.0, "0.000"), (-0.5, "-0.500"), (None, "–"), (float("nan"), "–"),
        ("text", "text"),
    ],
)  # fmt: skip
def test_numbers_are_shown_with_their_telling_digits(value, shown):
    assert figure(value) == shown


def test_sizes_and_times_are_for_people():
    assert [size(value) for value in (12, 645_000, 2_100_000, 3e9, None)] == [
        "12 bytes",
        "645.0 kB",
        "2.1 MB",
        "3.0 GB",
        "–",
    ]
    assert [duration(value) for value in (0.0123, 12.34, 75, 3700)] == ["0.0123 s", "12.3 s", "1 min 15 s", "1 h 1 min"]


def test_shortened_texts_are_one_line_of_at_most_the_length_asked():
    assert shortened("a\n\x00b   c", 10) == "a b c"
    assert shortened("x" * 1_000_000, 10) == "x" * 9 + "…"
    assert shortened(" " * 100 + "end", 10).endswith("…")


def test_what_is_no_merit_is_not_called_best() -> None:
    figures = {"roc_auc": 0.9, "alarm_share": 0.1, "events": 3.0}
    metrics = {
        "task": "anomaly",
        "test": figures,
        "baselines": {"none": {"roc_auc": 0.5, "alarm_share": 0.0, "events": 3.0}},
    }
    assert best_figures(metrics) == {"roc_auc": 0.9}
