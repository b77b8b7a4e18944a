"""How likely are test digits to each model of the recipe vae, how much do codes keep, and how quick are decoders?

    DLKIT_DATA=DIR python benchmarks/latents.py [--models a,b] [--parts likelihood,codes] [--seeds 0,1,2]

Every run is `dlkit run … --json` in a fresh process, then `dlkit bench`. What a run gave is appended to a file
(`--results`) and not measured again; from that file the page docs/latents.md is written (`--table-only` writes it and
runs nothing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pages import Figure, Page, Part, Result, Wanted, models, number, ratio, scaled, write

EVERY_ROW = ("--set", "task.likelihood_rows=10000")
LONGER = ("--set", "training.learning_rate=0.002", "--epochs", "700")
FIFTY = ("--set", "model.samples=50", "--set", "model.resampled=5")
SHORT = (*FIFTY, "--set", "training.learning_rate=0.001", "--epochs", "150")
MOST = (*FIFTY, "--set", "training.learning_rate=0.0015", "--epochs", "250")
CODE_32 = ("--set", "model.code=32")


def binarised(result: Result) -> str:
    latents = result["latents"]
    return {"none": "grey"}.get(name := str(latents["binarise"]), name) if isinstance(latents, Mapping) else ""


FIGURES: dict[str, Figure] = {
    "pixels": (binarised, ""),
    "ELBO": (number("test", "elbo"), ".2f"),
    "NLL": (number("test", "nll"), ".2f"),
    "reconstruction": (number("test", "reconstruction"), ".2f"),
    "KL": (number("test", "kl"), ".2f"),
    "mean image, NLL": (number("baselines", "mean_image", "nll"), ".1f"),
    "units": (number("latents", "code"), ".0f"),
    "active": (number("latents", "active_units"), ".0f"),
    "linear probe": (number("test", "probe_accuracy"), ".3f"),
    "PCA's probe": (number("baselines", "pca", "probe_accuracy"), ".3f"),
    "MSE": (number("test", "mse"), ".5f"),
    "MSE of PCA": (number("baselines", "pca", "mse"), ".5f"),
    "ratio to PCA": (ratio(number("test", "mse"), number("baselines", "pca", "mse")), ".2f"),
    "denoised, MSE": (number("test", "denoised_mse"), ".4f"),
    "by PCA": (number("baselines", "pca", "denoised_mse"), ".4f"),
    "noisy": (number("baselines", "noisy_input", "denoised_mse"), ".4f"),
    "SavedModel, µs": (number("bench", "saved_model", "decoder_latency_us"), ",.0f"),
    "LiteRT, µs": (number("bench", "tflite", "decoder_latency_us"), ",.1f"),
    "times lower": (number("bench", "tflite", "decoder_speedup"), ".1f"),
    "LiteRT, kB": (scaled(number("bench", "tflite", "bytes"), 1e-3), ",.0f"),
    "parameters": (number("parameters"), ",.0f"),
    "epochs": (number("epochs"), ".0f"),
    "train, s": (number("seconds", "train"), ",.0f"),
    "processor, s": (number("cpu_seconds"), ",.0f"),
}
DECODERS = ("SavedModel, µs", "LiteRT, µs", "times lower", "LiteRT, kB", "parameters")
COSTS = {*DECODERS, "units", "epochs", "train, s", "processor, s"}
PUBLISHED = (
    "Published, on the same images with another order and draw of pixels: NLL 86.76 of a VAE and 84.78 of an "
    "importance-weighted one with 50 samples, both 200-200-50 (Burda et al. 2016, table 1); keras.io's example of a "
    "code of 2 numbers ends at a training loss of 146.95, of grey values. Theirs are by 5,000 importance samples: by "
    "as many (`--set task.samples=5000`) the longer `iwae` has an NLL of 84.69, half of the digits on each core "
    "of an Intel Xeon with matrix units in 6 minutes; there it was trained, 33 to 38 s an epoch of one core, 2.5 hours."
)


def parts() -> dict[str, Part]:
    # `table` reads rows of a table.
    variational = [Wanted("vae", name, EVERY_ROW) for name in models("vae") if name != "table"]
    mlp = Wanted("vae", "mlp", EVERY_ROW)
    longer = replace(mlp, row="`mlp`, longer", changes=(*EVERY_ROW, *LONGER), start=mlp)
    long = [
        longer,
        Wanted("vae", "iwae", (*EVERY_ROW, *SHORT), "`iwae`, 50 samples, from `mlp`", start=mlp),
        Wanted("vae", "iwae", (*EVERY_ROW, *MOST), "`iwae`, 50 samples, from `mlp`, longer", start=longer),
        Wanted("vae", "convolutional", ("--epochs", "80"), "`convolutional`, 80 epochs"),
    ]
    plain = [Wanted("autoencoder", name, CODE_32) for name in models("autoencoder")]
    return {
        "likelihood": Part(
            "How likely test digits are",
            "MNIST, 10,000 test digits, nats an image. ELBO = -reconstruction - KL; NLL: 500 importance samples of "
            "each image (Burda et al. 2016, eq. 8), of 250 digits for the longer `convolutional`. Figures of another "
            "binarisation are another question: compare rows of one. active: units whose mean varies by more than "
            "0.01. linear probe: logistic regression on the codes of 5,000 training digits. processor: seconds of all "
            "cores over the whole run, this evaluation included.",
            ("pixels", "ELBO", "NLL", "reconstruction", "KL", "mean image, NLL", "units", "active", "linear probe",
             "epochs", "train, s", "processor, s"),
            [*variational, *long],
            after=PUBLISHED,
        ),
        "codes": Part(
            "What codes of 32 numbers keep",
            "MNIST, grey values, mean squared error a pixel over the test digits, beside principal components with as "
            "many numbers, fitted to 20,000 training digits in the same run. denoised: digits with the noise of the "
            "training, compared with the clean ones.",
            ("MSE", "MSE of PCA", "ratio to PCA", "linear probe", "PCA's probe", "denoised, MSE", "by PCA", "noisy",
             "epochs", "train, s", "processor, s"),
            plain,
        ),
        "decoders": Part(
            "From a code to a picture",
            "`dlkit bench RUN`: one code at a time, LiteRT with one thread against the SavedModel's signature "
            "`decode`, in the same process, in turns; medians.",
            DECODERS,
            [*variational, *plain],
        ),
    }  # fmt: skip


if __name__ == "__main__":
    write(
        Page(
            "latents",
            "Codes, and what is made from them",
            parts(),
            FIGURES,
            COSTS,
            ("recipe", "model", "test", "validation", "baselines", "latents", "parameters", "epochs", "seconds"),
            bench=True,
        ),
        __doc__ or "",
    )
