"""What does a person read of answers: which lines are written for each of them?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlkit.inference.latents import row_line

if TYPE_CHECKING:
    from dlkit.inference.following import Follower
    from dlkit.inference.streaming import Judged


def judged_lines(judged: Judged, follower: Follower, as_json: bool) -> Iterator[str]:
    """A line for each row of a stream that has a score: for a person, or an object of JSON."""
    threshold, first = follower.scorer.threshold, follower.summary.rows - len(judged) + 1
    for row, (score, alarm) in enumerate(zip(judged.scores.tolist(), judged.alarms.tolist(), strict=True)):
        if math.isnan(score):  # the first window is not full yet
            continue
        time = judged.times[row] if judged.times else str(first + row)
        channels = judged.channels.get(row, {})
        if as_json:
            found = {"row": first + row, "time": time, "score": score, "threshold": threshold, "anomaly": alarm}
            yield json.dumps(found | ({"channels": channels} if alarm else {}))
        else:
            ordered = sorted(channels.items(), key=lambda one: -one[1])
            shares = ", ".join(f"{name} {share:.0%}" for name, share in ordered)
            yield f"{time}  {score:.4g}" + (f"  ALARM (above {threshold:.4g}): {shares}" if alarm else "")


def answer_lines(items: Sequence[object], answers: Sequence[Mapping[str, Any]], *, top: int = 1) -> str:
    """A line an answer. `top`: so many of the likeliest classes."""
    lines = []
    for item, answer in zip(items, answers, strict=True):
        file = answer.get("file")
        about = " ".join((file if isinstance(file, str) else str(item)).split())
        # An error names its file, a window its time; translations are lines of a text.
        known = len(items) == 1 or any(name in answer for name in ("error", "at", "translation"))
        about = "" if known else f"  {about[:60]}{'…' if len(about) > 60 else ''}"
        warns = "warning" in answer and "translation" not in answer
        warning = f"\n  warning: {answer['warning']}" if warns else ""
        lines.append(f"{_answer(answer, top)}{about}{warning}")
    return "\n".join(lines)


def _forecast(answer: Mapping[str, Any]) -> str:
    """A line a step: its time or number, and each target, with the outermost quantiles where there are some."""
    names, unit = list(answer["forecast"]), f" ({answer['unit']})" if answer.get("unit") else ""
    steps = answer.get("time") or [f"+{step + 1}" for step in range(len(answer["forecast"][names[0]]))]
    lines = [f"{' ' * len(steps[0])}  {'  '.join(f'{name:>12}' for name in names)}{unit}"]
    for step, time in enumerate(steps):
        cells = []
        for name in names:
            cell = f"{answer['forecast'][name][step]:12.5g}"
            if "quantiles" in answer:
                bands = list(answer["quantiles"][name].values())
                cell += f" [{bands[0][step]:.5g}, {bands[-1][step]:.5g}]"
            cells.append(cell)
        lines.append(f"{time}  {'  '.join(cells)}")
    return "\n".join(lines)


def _alarm(answer: Mapping[str, Any]) -> str:
    """Score and decision, and of an alarm the channels that carry most of it."""
    shares = sorted(answer["channels"].items(), key=lambda one: -one[1])[:3]
    why = ", ".join(f"{name} {share:.0%}" for name, share in shares)
    found = f"ALARM (above {answer['threshold']:.4g}): {why}" if answer["anomaly"] else "normal"
    return "  ".join([*filter(None, [answer.get("at")]), f"{answer['score']:.4g}", found])


def _reconstruction(answer: Mapping[str, Any]) -> str:
    """How near it comes, and the code; of a table what is reconstructed too."""
    told = [f"{answer['label']}  {answer['score']:.1%}"] if "label" in answer else []
    made = answer["reconstruction"]
    told += [row_line(made)] if isinstance(made, Mapping) else []
    code = ", ".join(f"{number:.3g}" for number in answer["code"])
    return "  ".join([*told, f"mean squared error {answer['mse']:.4g}", f"code [{code}]"])


def _translation(answer: Mapping[str, Any]) -> str:
    """The translation, or a line each with its score where there are several."""
    if "others" not in answer:
        return str(answer["translation"])
    return "\n".join(f"{one['score']:.3f}  {one['translation']}" for one in (answer, *answer["others"]))


_SHOWN = {
    "forecast": _forecast,
    "anomaly": _alarm,
    "reconstruction": _reconstruction,
    "translation": _translation,
}


def _answer(answer: Mapping[str, Any], top: int) -> str:
    if "error" in answer:
        return f"error: {answer['error']}"
    for part, show in _SHOWN.items():
        if part in answer:
            return show(answer)
    if "label" in answer and top > 1:
        likeliest = sorted(answer["probabilities"].items(), key=lambda one: -one[1])[:top]
        return "  ".join(f"{label} {chance:.1%}" for label, chance in likeliest)
    if "label" not in answer and "value" not in answer:  # several answers, each by its name
        named = {name: part for name, part in answer.items() if isinstance(part, Mapping)}
        return "  ".join(f"{name}: {_answer(part, 1)}" for name, part in named.items())
    if "label" in answer:
        return f"{answer['label']}  {answer['score']:.1%}"
    return f"{answer['value']:.4g} {answer['unit']}".rstrip()
