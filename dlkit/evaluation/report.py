"""How good is the model, and how do you know: on one page that a person can keep, print and send?

The page is a single file: styles inside, pictures embedded, no script and nothing to load from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dlkit.evaluation.drawings import MOST_CLASSES
from dlkit.evaluation.forecasts import step_rows
from dlkit.evaluation.headline import headline, rivals
from dlkit.evaluation.highlights import Decisions
from dlkit.evaluation.histories import by_member
from dlkit.evaluation.pages import data_uri, figure, flattened, render, section, write
from dlkit.evaluation.plots import Plot
from dlkit.evaluation.scores import NEITHER_IS_BETTER, higher_is_better, main_figure
from dlkit.evaluation.seen import seen, table
from dlkit.evaluation.usage import usage
from dlkit.inference.latents import PROTOCOLS

_SECTIONS = {
    "learning_curves": "training",
    "folds": "training",
    "augmented": "training",
    "misclassified": "mistakes",
    "least_certain": "mistakes",
    "largest_errors": "mistakes",
    "grad_cam": "looks",
    "filters": "looks",
    "reconstructions": "codes",
    "samples": "codes",
    "interpolation": "codes",
    "plane": "codes",
    "traversals": "codes",
    "codes_by_class": "codes",
    "units": "codes",
}
"""Where on the page a plot stands, by its name, which may stand behind that of an answer; the others among the answers.
"""


def write_report(
    metrics: Mapping[str, object],
    *,
    question: str,
    settings: Mapping[str, object],
    history: Sequence[Mapping[str, float]],
    plots: Sequence[Plot],
    mistakes: Sequence[Mapping[str, object]],
    folder: Path,
    decisions: Decisions | None = None,
) -> Path:
    """Write `report.html` into the folder of a run.

    `metrics`: as in `metrics.json`; taken when there: `unit` (of the target), `data.notes`, `inputs` ({column: kind}),
    `preprocessing` (as `seen` reads it), `versions`, `best_epoch`, `best_possible`, `per_class` (as
    `scores.per_class`), `by_step` (as `forecasts.by_step`, by model), `folds` ({"k", figure: {"mean", "std",
    "values"}, "baselines": {name: the same}}).
    `settings`: resolved, nested as the recipe is; those of an ensemble's members under "members", by name.
    `mistakes`: as `mistakes.worst_mistakes` gives them. `decisions`: of texts, as `highlights.decisions` gives them.
    """
    main, direction = main_figure(str(metrics["task"]))
    members = section(settings, "members")
    values = {
        "metrics": metrics,
        "question": question,
        "headline": headline(metrics),
        "main": main,
        "direction": direction,
        "rivals": rivals(metrics),
        "data": section(metrics, "data"),
        "settings": flattened({stage: values for stage, values in settings.items() if stage != "members"}),
        "members": {name: flattened(section(members, name)) for name in members},
        "seen": seen(metrics),
        "seen_rows": table(seen(metrics)),
        "histories": {name: rows for name, rows in by_member(history).items() if rows},
        "curves": _pictures(plots, "training"),
        "pictures": _pictures(plots, "answers"),
        "galleries": _pictures(plots, "mistakes"),
        "looks": _pictures(plots, "looks"),
        "codes": _pictures(plots, "codes"),
        "protocol": protocol(section(metrics, "latents")),
        "figure_names": figure_names(metrics),
        "figure_rows": figure_rows(metrics),
        "best": best_figures(metrics),
        "classes": class_rows(metrics),
        "every_class": len(_classes(metrics)),
        "steps": step_rows(section(metrics, "by_step"), section(metrics, "by_target_and_step")),
        "folds": fold_rows(metrics),
        "mistakes": mistakes,
        "highlights": decisions.highlights if decisions else (),
        "refused": decisions.refused if decisions else None,
        "artefacts": section(metrics, "artefacts"),
        "replayed": _replayed(metrics, main),
        "seconds": section(metrics, "seconds"),
        "usage": usage(metrics),
    }
    return write(folder / "report.html", render("report.html.jinja", values))


def figure_names(metrics: Mapping[str, object]) -> list[str]:
    """The names of all figures, the main one first."""
    main, _ = main_figure(str(metrics["task"]))
    return list(dict.fromkeys([main, *(name for _, _, figures in figure_rows(metrics) for name in figures)]))


def protocol(latents: Mapping[str, object]) -> str:
    """What the figures of a latent model rest on; "" of another one."""
    if not latents:
        return ""
    said = f"Codes of {figure(latents.get('code'))} numbers"
    if "samples" in latents:
        unit = str(latents.get("unit", "nats a row")) + (", given its label" if "classes" in latents else "")
        said += (
            f", {figure(latents.get('active_units'))} of them active: their mean varies by more than 0.01 over the "
            f"test rows (Burda et al. 2016). In {unit}, {_density(latents)}: elbo = -reconstruction - kl over all test "
            f"rows; nll from {figure(latents.get('samples'))} importance samples of {_judged_rows(latents)}"
        )
        if "elbo_samples" in latents:
            said += f"; the validation elbo from {figure(latents.get('elbo_samples'))} codes of each validation row"
    return (
        f"{said}. mse, mae: of the reconstruction from the mean code, a number of the row, of rows as an artefact is "
        "asked about them. probe_accuracy: of a logistic regression on the codes. PCA has codes of the same size."
    )


def _judged_rows(latents: Mapping[str, object]) -> str:
    rows, error = latents.get("nll_rows"), latents.get("nll_error")
    each = f"each of {figure(rows)} rows"
    return f"{each}, standard error {figure(error)} from that choice" if error else f"{each}, all there are"


def _density(latents: Mapping[str, object]) -> str:
    """Which distribution the figures in nats are of."""
    if latents.get("likelihood") != "gaussian":
        return f"pixels {PROTOCOLS.get(str(latents.get('binarise')), '')}"
    return f"values normal around their reconstruction, with standard deviation {figure(latents.get('noise', 1.0))}"


def _replayed(metrics: Mapping[str, object], main: str) -> str:
    """The figure that is shown of each artefact: the main one, where outputs alone give it."""
    artefacts = section(metrics, "artefacts")
    names = [name for one in artefacts for name in section(section(artefacts, one), "test")]
    return main if main in names or not names else names[0]


def figure_rows(metrics: Mapping[str, object]) -> list[tuple[str, str, Mapping[str, object]]]:
    """A row a model: its name, the rows it is judged on, and its figures."""
    baselines = section(metrics, "baselines")
    rows = [("network", "test", section(metrics, "test"))]
    rows += [(f"{name} baseline".replace("_", " "), "test", section(baselines, name)) for name in baselines]
    if validation := section(metrics, "validation"):
        rows.append(("network", "validation", validation))
    return rows


def best_figures(metrics: Mapping[str, object]) -> dict[str, float]:
    """The best value of each figure among the models on the test rows, where there are two to compare."""
    best = {}
    for name in figure_names(metrics):
        if name in NEITHER_IS_BETTER:
            continue
        found = [figures.get(name) for _, on, figures in figure_rows(metrics) if on == "test"]
        values = [float(value) for value in found if isinstance(value, int | float)]
        if len(values) > 1:
            best[name] = max(values) if higher_is_better(name) else min(values)
    return best


def class_rows(metrics: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The rows of `per_class`; of more than a page can show, those with the most test rows, in their own order."""
    every = _classes(metrics)
    order = sorted(range(len(every)), key=lambda index: (-float(str(every[index].get("support") or 0)), index))
    return [every[index] for index in sorted(order[:MOST_CLASSES])]


def _classes(metrics: Mapping[str, object]) -> list[Mapping[str, object]]:
    found = metrics.get("per_class")
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list | tuple) else []


def fold_rows(metrics: Mapping[str, object]) -> list[tuple[str, Mapping[str, object]]]:
    """A row a model of a k-fold validation: its name, and `mean`, `std` and `values` of the main figure."""
    main, _ = main_figure(str(metrics["task"]))
    folds = section(metrics, "folds")
    baselines = section(folds, "baselines")
    rows = [("network", section(folds, main))]
    rows += [(f"{name} baseline".replace("_", " "), section(section(baselines, name), main)) for name in baselines]
    return [(name, figures) for name, figures in rows if figures]


def _pictures(plots: Sequence[Plot], part: str) -> list[dict[str, str]]:
    return [
        {"title": plot.title, "alt": plot.alt, "source": data_uri(plot.path)}
        for plot in plots
        if _section_of(plot.name) == part
    ]


def _section_of(plot: str) -> str:
    found = (section for name, section in _SECTIONS.items() if plot == name or plot.endswith(f"_{name}"))
    return next(found, "answers")
