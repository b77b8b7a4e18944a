"""How do the lecture notes get from the IMDb archive to a trained network? Their own code, as it stands.

Usage: notes_imdb.py ARCHIVE SEED. The notes start from `keras.datasets.imdb`, which downloads word ids; Keras'
`Tokenizer`, which made them, is gone from Keras 3, so its two methods stand here as they were in Keras 2. From
`vectorize_sequences` on it is the notes' code: a float64 matrix of 25,000 x 10,000 for the training rows and one for
the test rows, Dense 16-16-1, RMSprop, batches of 512. Added: the seed, for two runs to be comparable.
"""

from __future__ import annotations

import os
import sys
import tarfile
from collections import OrderedDict, defaultdict

from measuring import Stages, peak_mb

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def text_to_word_sequence(text: str) -> list[str]:
    translation = str.maketrans(dict.fromkeys(FILTERS, " "))
    return [word for word in text.lower().translate(translation).split(" ") if word]


class Tokenizer:
    """`keras.preprocessing.text.Tokenizer(num_words)` of Keras 2.15, without the options that are not used here."""

    def __init__(self, num_words: int) -> None:
        self.num_words = num_words
        self.word_counts: OrderedDict[str, int] = OrderedDict()
        self.word_docs: defaultdict[str, int] = defaultdict(int)
        self.word_index: dict[str, int] = {}

    def fit_on_texts(self, texts: list[str]) -> None:
        for text in texts:
            seq = text_to_word_sequence(text)
            for w in seq:
                if w in self.word_counts:
                    self.word_counts[w] += 1
                else:
                    self.word_counts[w] = 1
            for w in set(seq):
                self.word_docs[w] += 1
        wcounts = list(self.word_counts.items())
        wcounts.sort(key=lambda x: x[1], reverse=True)
        sorted_voc = [wc[0] for wc in wcounts]
        self.word_index = dict(zip(sorted_voc, list(range(1, len(sorted_voc) + 1)), strict=True))

    def texts_to_sequences(self, texts: list[str]) -> list[list[int]]:
        sequences = []
        for text in texts:
            vect = []
            for w in text_to_word_sequence(text):
                i = self.word_index.get(w)
                if i is not None and i < self.num_words:
                    vect.append(i)
            sequences.append(vect)
        return sequences


def read(archive: str) -> tuple[dict[str, list[str]], dict[str, list[int]]]:
    texts: dict[str, list[str]] = {"train": [], "test": []}
    labels: dict[str, list[int]] = {"train": [], "test": []}
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = member.name.split("/")
            if len(parts) == 4 and parts[1] in texts and parts[2] in ("neg", "pos"):
                file = tar.extractfile(member)
                assert file is not None
                texts[parts[1]].append(file.read().decode())
                labels[parts[1]].append(int(parts[2] == "pos"))
    return texts, labels


def main(archive: str, seed: int) -> None:
    stages = Stages()
    with stages.stage("import"):
        import keras
        import numpy as np
        from keras import layers, models

    def vectorize_sequences(sequences, dimension=10000):  # type: ignore[no-untyped-def]  # the notes' own
        results = np.zeros((len(sequences), dimension))
        for i, sequence in enumerate(sequences):
            results[i, sequence] = 1.0
        return results

    with stages.stage("read"):
        texts, labels = read(archive)
    with stages.stage("tokenise train"):
        tokenizer = Tokenizer(num_words=10000)
        tokenizer.fit_on_texts(texts["train"])
        train_data = tokenizer.texts_to_sequences(texts["train"])
    with stages.stage("tokenise test"):
        test_data = tokenizer.texts_to_sequences(texts["test"])
    with stages.stage("vectorise train"):
        x_train = vectorize_sequences(train_data)
    with stages.stage("vectorise test"):
        x_test = vectorize_sequences(test_data)
    with stages.stage("train"):
        y_train = np.asarray(labels["train"]).astype("float32")
        y_test = np.asarray(labels["test"]).astype("float32")
        keras.utils.set_random_seed(seed)
        model = models.Sequential()
        model.add(keras.Input((10000,)))
        model.add(layers.Dense(16, activation="relu"))
        model.add(layers.Dense(16, activation="relu"))
        model.add(layers.Dense(1, activation="sigmoid"))
        model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
        model.fit(x_train, y_train, epochs=4, batch_size=512, verbose=0)
    peak = peak_mb()
    _, accuracy = model.evaluate(x_test, y_test, batch_size=512, verbose=0)
    stages.print(peak_mb=peak, accuracy=accuracy, parameters=model.count_params())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
