"""How quick is each artefact of a run: on one raw row, on rows in bulk, and in the proof that it agrees?

Usage: artefacts.py RUN, with DLKIT_DATA and DLKIT_CACHE set. Latency and throughput are those of `dlkit bench`, the
proof is that of `dlkit verify`, part by part: every artefact takes all raw test rows by its own path.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from measuring import Stages

from dlkit import finished


def main(folder: Path) -> None:
    stages = Stages()
    run = finished.Finished(folder)
    with stages.stage("load"):
        rows = run.splits(None, _quiet).test
    for name in run.artefacts:
        replay = run.run(name)
        with stages.stage(name):
            replay(rows.inputs)
    with stages.stage("verify"):
        finished.verify(folder, data=None, say=_quiet)
    stages.print(rows=len(rows), bench=finished.bench(folder, data=None, say=_quiet)["artefacts"])


def _quiet(_: str) -> None:
    """Progress is of no interest here."""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
