"""In one sentence: how good is the model, against what, and on which data? A task is one entry in `_SENTENCES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dlkit.evaluation.forecasts import sentence
from dlkit.evaluation.pages import figure, section
from dlkit.evaluation.scores import better, higher_is_better, main_figure
from dlkit.inference.latents import PROTOCOLS
from dlkit.inference.windows import ANOMALY, NORMAL

NETWORK = "network"
_PERFECT = {"bleu": 100.0}
"""Figures that are best where they are highest end here; those that are not named, at 1."""


@dataclass(frozen=True)
class Rival:
    """A model beside others on the main figure. `share`: of the bar that its value fills, in percent."""

    name: str
    value: float
    share: float
    is_network: bool


def headline(metrics: Mapping[str, object]) -> str:
    """The sentence that opens the report and the model card, from `metrics.json`."""
    task, data = str(metrics["task"]), section(metrics, "data")
    main, direction = main_figure(task)
    test, skills = section(metrics, "test"), section(metrics, "skill")
    rows, unit = data.get("test_rows"), str(metrics.get("unit") or "")
    where = f"On {figure(rows)} test row{'s' * (rows != 1)} of {data.get('name', 'the data')}"
    if data.get("sample"):
        where += " (sample data for trying out, not the real dataset)"
    if protocol := _protocol(section(metrics, "latents")):
        where += f", {protocol},"
    say = _SENTENCES.get(task, _plain)
    network = test.get(main)
    if not isinstance(network, int | float) and "alarm_share" in test:
        return f"{where} {_alarms(float(str(test['alarm_share'])), section(metrics, 'labelled'))}."
    if not isinstance(network, int | float):
        return f"{where} the network was not judged."
    if skills:
        return f"{where} {sentence({name: float(str(value)) for name, value in skills.items()}, network)}."
    others = {rival.name: rival.value for rival in rivals(metrics) if not rival.is_network}
    if not others:
        return f"{where} {say(main, network, unit)}."
    order = sorted(others, key=others.__getitem__, reverse=direction == "max")
    ahead = better(task, {main: network}, {main: others[order[0]]})
    verdict = "better than" if ahead else "no better than"
    compared = ", ".join(f"{name} {_short(main, others[name], unit)}" for name in order)
    return f"{where} {say(main, network, unit)}: {verdict} the best baseline ({compared})."


def _alarms(share: float, labelled: Mapping[str, object]) -> str:
    """What alarms say where not both normal rows and anomalies are known."""
    above = f"{share:.1%} of those with a label are above the threshold"
    if labelled.get(NORMAL):
        return f"{above}: all of them are normal, so these are false alarms"
    if labelled.get(ANOMALY):
        return f"{above}: all of them are anomalies, so the others are missed"
    return f"{share:.1%} are above the threshold; without labels nobody can say how many of these are anomalies"


def rivals(metrics: Mapping[str, object]) -> list[Rival]:
    """The network and its baselines on the main figure, the best first."""
    main, direction = main_figure(str(metrics["task"]))
    baselines = section(metrics, "baselines")
    values = {NETWORK: section(metrics, "test").get(main)}
    values |= {name.replace("_", " "): section(baselines, name).get(main) for name in baselines}
    known = {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
    # Bounds in nats lie below 0: their bars are as long as they are far from it.
    below = max(known.values(), default=0.0) <= 0
    lengths = {name: -value if below else max(value, 0.0) for name, value in known.items()}
    ends = higher_is_better(main) and not below
    longest = _PERFECT.get(main, 1.0) if ends else max(lengths.values(), default=1.0) or 1.0
    order = sorted(known, key=known.__getitem__, reverse=direction == "max")
    return [
        Rival(name, known[name], round(100 * min(lengths[name] / longest, 1), 2), name == NETWORK) for name in order
    ]


def _protocol(latents: Mapping[str, object]) -> str:
    """How pixels became what the figures are of, in a few words."""
    return PROTOCOLS.get(str(latents.get("binarise")), "").partition(":")[0]


def _short(main: str, value: float, unit: str) -> str:
    if main == "accuracy":
        return f"{value:.1%}"
    return f"{figure(value)} {unit}".rstrip()


def _plain(main: str, value: float, unit: str) -> str:
    return f"the network reaches {main} {_short(main, value, unit)}"


_SENTENCES: dict[str, Callable[[str, float, str], str]] = {
    "classification": lambda main, value, unit: f"the network gets {_short(main, value, unit)} right",
    "regression": lambda main, value, unit: f"the network is off by {_short(main, value, unit)} on average",
    "anomaly": lambda main, value, unit: (
        f"the network scores an anomaly higher than a normal row in {value:.1%} of pairs ({main} {figure(value)}{unit})"
    ),
    "generation": lambda main, value, unit: (
        f"the bound on the log-likelihood is {_short(main, value, unit)} nats a row"
    ),
    "reconstruction": lambda main, value, unit: (
        f"what comes back from the code is off by {_short(main, value, unit)}, squared, on average"
    ),
    "translation": lambda main, value, _: f"the network's translations reach {main.upper()} {value:.1f}",
    "joint": lambda main, value, unit: f"the network's answers have a mean error of {_short(main, value, unit)}",
}
