"""A finished run to judge: figures as `metrics.json` holds them, outputs, history, for both tasks."""

from __future__ import annotations

import numpy as np
import pytest

from dlkit.inference.answers import ClassAnswer, ValueAnswer

REVIEW = "Not <b>good</b>, not bad: a film that wants to be a comedy and forgets to be funny. "


@pytest.fixture
def classes() -> tuple[ClassAnswer, np.ndarray, np.ndarray]:
    """Answer, raw labels and sigmoid outputs of 400 reviews, some 85 % right."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400)
    logits = 2.2 * (2 * truth - 1) + 2 * rng.standard_normal(400)
    labels = np.array(["neg", "pos"], object)
    return ClassAnswer(("neg", "pos")), labels[truth], (1 / (1 + np.exp(-logits)))[:, None].astype(np.float32)


@pytest.fixture
def values() -> tuple[ValueAnswer, np.ndarray, np.ndarray]:
    """Answer, raw prices and scaled outputs of 120 towns."""
    rng = np.random.default_rng(0)
    scaled = rng.standard_normal(120)
    answer = ValueAnswer("medv", "k$", mean=22.0, scale=9.0, spread=9.0)
    return answer, scaled * 9 + 22, (scaled + 0.3 * rng.standard_normal(120))[:, None].astype(np.float32)


@pytest.fixture
def history() -> list[dict[str, float]]:
    return [
        {
            "epoch": epoch, "accuracy": 0.7 + 0.06 * epoch, "loss": 0.7 - 0.15 * epoch,
            "val_accuracy": 0.78 + 0.03 * epoch, "val_loss": 0.5 - 0.1 * epoch + 0.015 * epoch**2, "seconds": 1.25,
        }
        for epoch in range(1, 5)
    ]  # fmt: skip


@pytest.fixture
def members_history() -> list[dict[str, float]]:
    """Of an ensemble: "ngrams" stopped after two epochs, "cnn_wide" went on for four."""
    names = ("ngrams_accuracy", "ngrams_loss", "val_ngrams_accuracy", "val_ngrams_loss")
    stopped = dict.fromkeys(names, float("nan"))
    return [
        {
            "epoch": epoch, "seconds": 1.0,
            **(dict(zip(names, (0.9, 0.3, 0.8, 0.3 + 0.1 * epoch), strict=True)) if epoch < 3 else stopped),
            "cnn_wide_accuracy": 0.7 + 0.05 * epoch, "cnn_wide_loss": 0.7 - 0.1 * epoch,
            "val_cnn_wide_accuracy": 0.7 + 0.04 * epoch, "val_cnn_wide_loss": 0.7 - 0.09 * epoch,
        }
        for epoch in range(1, 5)
    ]  # fmt: skip


@pytest.fixture
def imdb() -> dict[str, object]:
    """`metrics.json` of a text classification."""
    return {
        "format": 1, "recipe": "imdb", "model": "mlp", "task": "classification", "seed": 0,
        "run": "saved_models/imdb/3",
        "data": {
            "name": "imdb", "source": "~/data/imdb/aclImdb_v1.tar.gz", "sample": False, "train_rows": 15000,
            "validation_rows": 10000, "test_rows": 25000, "fingerprint": "sha256:" + 8 * "c40f74a1",
            "notes": ["96 reviews occur twice in the training rows."],
        },
        "inputs": {"text": "text"},
        "validation": {"accuracy": 0.8871, "macro_f1": 0.887, "loss": 0.2815, "roc_auc": 0.953},
        "test": {"accuracy": 0.8841, "macro_f1": 0.8841, "loss": 0.2890, "roc_auc": 0.9510},
        "baselines": {
            "majority": {"accuracy": 0.5, "macro_f1": 0.3333, "loss": 0.6931, "roc_auc": 0.5},
            "linear": {"accuracy": 0.8780, "macro_f1": 0.8780, "loss": 0.2963, "roc_auc": 0.9468},
        },
        "seconds": {"prepare": 9.31, "train": 6.2, "evaluate": 3.4, "export": 5.5, "verify": 8.1, "total": 32.51},
        "peak_memory_mb": 902.5, "parameters": 160305,
        "artefacts": {
            "keras": {"path": "model.keras", "bytes": 1950000, "sha256": "1b" * 32, "test": {"accuracy": 0.8841}},
            "saved_model": {
                "path": ".", "bytes": 2100000, "sha256": "2c" * 32, "rows": 25000, "max_abs_diff": 2.1e-7,
                "agreement": 1.0, "test": {"accuracy": 0.8841},
            },
            "tflite": {
                "path": "model.tflite", "bytes": 645000, "sha256": "3d" * 32, "rows": 25000, "max_abs_diff": 2.4e-7,
                "agreement": 1.0, "test": {"accuracy": 0.8841},
            },
        },
        "versions": {"dlkit": "0.1.0", "keras": "3.15.1"}, "warnings": [],
    }  # fmt: skip


@pytest.fixture
def boston(imdb: dict[str, object]) -> dict[str, object]:
    """`metrics.json` of a regression on sample data, with k-fold validation, beaten by its baseline."""
    return {
        **imdb, "recipe": "boston", "task": "regression", "unit": "k$", "run": "saved_models/boston/1",
        "data": {
            "name": "boston_housing", "source": "sample", "sample": True, "train_rows": 323, "validation_rows": 81,
            "test_rows": 102, "fingerprint": "sha256:00", "notes": [],
        },
        "inputs": {"crim": "number", "chas": "category"},
        "validation": {"mae": 2.2, "mse": 9.0, "rmse": 3.0, "r2": 0.88},
        "test": {"mae": 2.31, "mse": 10.4, "rmse": 3.22, "r2": 0.86},
        "baselines": {
            "mean": {"mae": 6.06, "mse": 72.0, "rmse": 8.49, "r2": -0.005},
            "gradient_boosting": {"mae": 2.05, "mse": 8.48, "rmse": 2.91, "r2": 0.88},
        },
        "folds": {
            "k": 4, "mae": {"mean": 2.34, "std": 0.21, "values": [2.1, 2.5, 2.2, 2.56]},
            "baselines": {"gradient_boosting": {"mae": {"mean": 2.11, "std": 0.34, "values": [2.6, 1.9, 2.05, 1.86]}}},
        },
        "warnings": ["The network (mae 2.31) does not beat the gradient boosting baseline (2.05). Use it instead."],
    }  # fmt: skip


@pytest.fixture
def text_mistakes() -> list[dict[str, object]]:
    return [
        {"row": 7, "input": REVIEW * 3, "truth": "neg", "answer": "pos", "sureness": "99.8% sure"},
        {"row": 9, "input": "Masterful.", "truth": "neg", "answer": "pos", "sureness": "99.1% sure"},
    ]
