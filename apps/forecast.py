"""Forecast: how will a series go on?

    dlkit run forecast
    dlkit run forecast --data own.csv --set data.targets=load
    dlkit run forecast --model linear --set data.horizon=24

ETTh1: two years of hourly loads and oil temperature of a transformer, of which the next 96 hours are forecast from the
last 336. `best` reads and writes a season at a time (SegRNN: Lin et al. 2023). Settings are those of the least error on
the validation months; on the test months, seed 0, 2 cores of an AMD EPYC that had other work:

    ==============  =====  =====  ========
    model             MSE    MAE  training
    ==============  =====  =====  ========
    best            0.358  0.385      89 s
    linear          0.371  0.389      43 s
    lstm            0.373  0.396     100 s
    seasonal_naive  0.512  0.433
    naive           1.294  0.713
    ==============  =====  =====  ========

PatchTST has 0.370 and 0.400 (Nie et al. 2023), a line solved exactly 0.370 and 0.391. An earlier `best` was tested too:
see docs/forecasting.md, which has longer horizons and other series.
"""

from __future__ import annotations

from functools import partial

from dlkit import Forecasting, Recipe, SeriesData, SeriesWindows, Training, Variant
from dlkit.models import series

once = Training(epochs=1)

recipe = Recipe(
    data=SeriesData("etth1"),
    preprocessing=SeriesWindows(),
    task=Forecasting(loss_name="mae"),
    model=series.best,
    training=Training(epochs=6, batch_size=64, schedule="cosine"),
    variants={
        "naive": Variant(series.naive, training=once),
        "seasonal_naive": Variant(series.seasonal_naive, training=once),
        "linear": Variant(
            partial(series.linear, normalise="standard"),
            training=Training(epochs=10, batch_size=128, learning_rate=2e-3, schedule="cosine"),
        ),
        "simple_rnn": partial(series.simple_rnn, normalise="standard"),
        "lstm": partial(series.lstm, patch=0, independent=True, normalise="last", dropout=0.1),
        "gru": partial(series.gru, patch=0, independent=True, normalise="last", dropout=0.1),
        "stacked_lstm": partial(series.stacked_lstm, normalise="standard"),
        "bilstm": partial(series.bilstm, normalise="standard"),
        "cnn1d": partial(series.cnn1d, normalise="standard"),
        "seq2seq_lstm": partial(series.seq2seq_lstm, normalise="standard"),
        "transformer": series.transformer,
    },
)
