"""Is the page of translators what its program makes of the results that are kept, and does a finished run join them?"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "translation.md"


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program that writes the page."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spec = importlib.util.spec_from_file_location("translators_page", ROOT / "benchmarks" / "translation.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """What the page reads of a run of two members."""
    proof = {"bytes": 2_500, "agreement": 0.995, "max_abs_diff": 1e-6, "test": {"bleu": 12.345, "chrf": 30.0}}
    metrics = {
        "recipe": "transformer", "model": "ensemble", "seed": 0, "parameters": 1_234_567, "peak_memory_mb": 999.0,
        "test": {"bleu": 12.3, "bleu_tokenised": 45.6, "chrf": 30.0, "perplexity": 7.89}, "validation": {"bleu": 1.0},
        "baselines": {"copy": {"bleu": 0.5}}, "signatures": {"bleu": "case:mixed"}, "seconds": {"train": 60.0},
        "by_length": {"1-10": {"rows": 30, "bleu": 77.7}}, "artefacts": {"tflite": proof}, "versions": {}, "search": {},
        "data": {"name": "pairs", "source": "/home/me", "train_rows": 10, "validation_rows": 5, "test_rows": 3},
    }  # fmt: skip
    record = {"command": "dlkit run transformer", "settings": {"data": {"source": "en", "target": "fr"}}}
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "run.json").write_text(json.dumps(record))
    losses = "epoch,seconds,first_loss,val_first_loss,second_loss,val_second_loss"
    (folder / "history.csv").write_text(f"{losses}\n1,2,3,4.5,3,4.25\n2,2,3,3.5,nan,nan\n")
    return folder


def test_the_page_is_what_the_results_say(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["translation.py", "--out", str(tmp_path / "translation.md")])
    generator.main()
    assert (tmp_path / "translation.md").read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_a_finished_run_is_kept_without_its_place_and_takes_that_of_an_older_one(
    generator: ModuleType, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, out = tmp_path / "kept.jsonl", tmp_path / "page.md"
    arguments = [str(finished), "--results", str(kept), "--out", str(out), "--tried", str(tmp_path / "none")]
    for remark in ("Made in haste.", "Made at leisure."):
        monkeypatch.setattr(sys, "argv", ["translation.py", *arguments, "--remark", remark])
        generator.main()
    assert "/home/me" not in kept.read_text()
    assert json.loads(kept.read_text().splitlines()[-1])["losses"] == {"first": [4.5, 3.5], "second": [4.25]}
    page = out.read_text(encoding="utf-8")
    assert "pairs, en to fr: 10 training, 5 validation, 3 test pairs" in page
    assert "| transformer, ensemble | 45.6 | – | 12.3 | 30.0 | 7.89 | 1,234,567 | 60 | 999 |" in page
    assert "| transformer, ensemble: tflite | 2,500 | 99.50% | 1e-06 | 12.35 | 30.00 |" in page
    assert "Made at leisure." in page and "Made in haste." not in page and "Others that were tried" not in page
    picture = out.with_suffix(".svg").read_text(encoding="utf-8")
    assert "transformer, ensemble: first" in picture and "transformer, ensemble: second" in picture


def test_a_page_of_no_run_is_refused(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["translation.py", "--results", str(tmp_path / "none.jsonl")])
    with pytest.raises(SystemExit):
        generator.main()
    assert "holds no run" in capsys.readouterr().err
