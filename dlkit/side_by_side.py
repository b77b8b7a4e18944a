"""How do the members of an ensemble learn at the same time, each in a process and on cores of its own?

A small network keeps one core busy and gains little by a second one: two that learn side by side are done sooner than
two that learn one after the other on both. A process learns from the rows that it reads itself and leaves checkpoints;
`ensembles.train` then goes on with each member after its last epoch. Where a process fails, its member goes on in this
one, which says what is wrong.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from dlkit.contracts import Splits
from dlkit.ensembles import left_off, member_alone
from dlkit.given_rows import rows_to_learn
from dlkit.ordering import Order, order
from dlkit.pipeline import learn, peak_memory_mb, prepare
from dlkit.recipe import Recipe, Say

WORTH_IT = 200_000
"""Rows times epochs of all members from which on it pays to start a process for each, which takes ten seconds."""


def learn_side_by_side(asked: Order, splits: Splits, checkpoints: Path, logs: Path, *, say: Say) -> float:
    """Let the members of an ensemble leave their checkpoints, if it has any and that is sooner done so. TrainingError
    where a person interrupts.

    The memory that all processes need together, at most, in MB of 10^6 bytes; 0 where none was started.
    """
    members, cores = asked.recipe.members, _cores()
    if not _is_sooner(asked, len(splits.train), cores):
        return 0.0
    share = max(1, cores // len(members))
    cores_of_each = f"{share} of {cores} cores each" if len(members) <= cores else f"all on the same {cores} cores"
    say(f"members {', '.join(members)}: side by side, {cores_of_each}")
    threads = {"TF_NUM_INTRAOP_THREADS": str(share), "TF_NUM_INTEROP_THREADS": str(share)}
    started = {
        name: _Process(name, _task(asked, name, checkpoints, logs), {"TF_CPP_MIN_LOG_LEVEL": "3", **threads}, say)
        for name in members
    }
    try:
        for one in started.values():
            one.wait()
    except KeyboardInterrupt:
        for end in (_Process.interrupt, _Process.end):  # what is learnt is saved by then
            for one in started.values():
                end(one)
        raise left_off(list(members), checkpoints) from None
    finally:
        for one in started.values():
            one.end()
    return round(peak_memory_mb() + sum(one.peak_mb for one in started.values()), 1)


def _is_sooner(asked: Order, rows: int, cores: int) -> bool:
    members = asked.recipe.members.values()
    if cores < 2 or not members or asked.start is not None:
        return False
    if any(one.training.folds or one.training.refit for one in members):
        return False
    return rows * sum(one.training.epochs for one in members) >= WORTH_IT and not _has_accelerator()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_accelerator() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _task(asked: Order, member: str, checkpoints: Path, logs: Path) -> dict[str, object]:
    """What a process has to know of the order; as JSON."""
    return {
        "recipe": asked.name if asked.file is None else str(asked.file),
        "model": asked.model,
        "data": None if asked.data is None else str(asked.data),
        "changes": list(asked.changes),
        "seed": asked.seed,
        "member": member,
        "checkpoints": str(checkpoints / member),
        "logs": str(logs / member),
    }


class _Process:
    """A member that learns elsewhere. Its standard input is open as long as somebody waits for it. `peak_mb`: its
    largest resident memory, in MB, once it has ended.
    """

    peak_mb = 0.0

    def __init__(self, name: str, task: Mapping[str, object], environment: Mapping[str, str], say: Say) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dlkit.side_by_side", json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environment, **os.environ},
            start_new_session=True,  # Ctrl-C is told to it once, by `interrupt`
            text=True,
            encoding="utf-8",
        )
        self.reader = threading.Thread(target=self._pass_on, args=(name, say), daemon=True)
        self.reader.start()

    def _pass_on(self, name: str, say: Say) -> None:
        for line in self.process.stdout or ():
            say(f"{name}: {line.rstrip()}")

    def wait(self) -> None:
        _, status, used = os.wait4(self.process.pid, 0)
        self.process.returncode, self.peak_mb = os.waitstatus_to_exitcode(status), peak_memory_mb(used)
        self.reader.join()

    def interrupt(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """Wait for what is left to be saved."""
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not (pipe is self.process.stdout and self.reader.is_alive()):
                pipe.close()


def main(text: str) -> None:
    """Learn as `_task` says, saying each epoch on standard output; end when standard input does."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    task = json.loads(text)
    asked = order(task["recipe"], model=task["model"], data=task["data"], changes=task["changes"], seed=task["seed"])
    recipe: Recipe = asked.recipe
    prepared = prepare(recipe, rows_to_learn(recipe, asked.data, start=None, say=lambda _: None))
    learn(
        member_alone(prepared, task["member"]),
        seed=task["seed"],
        say=_say,
        checkpoints=Path(task["checkpoints"]),
        logs=Path(task["logs"]),
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _end_with_input() -> None:
    while os.read(0, 1):  # not by `sys.stdin`, whose lock Python wants when it ends
        pass
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
