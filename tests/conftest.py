"""How do tests ask the command line, and which finished runs do they ask? Both without the user's cache and data."""

from __future__ import annotations

import gc
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # There are as many workers as cores: with a thread each they do not take them from each other.
    for threads in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(threads, "1")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code and what stood on standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        """The one JSON object on standard output."""
        content = json.loads(self.out)
        assert isinstance(content, dict)
        return content

    @property
    def message(self) -> str:
        """The one error that was said, in words of dlkit's own, without its "error: "."""
        assert self.err.count("error: ") == 1, self.err
        assert "Traceback" not in self.err, self.err
        message = self.err[self.err.index("error: ") + len("error: ") :].strip()
        assert not message.startswith("unforeseen"), message
        return message


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """A worker takes a file, whose tests share what they make, at a time; of the one file of all recipes, a recipe."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFileOrRecipe(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            recipe = test.partition("[")[2].rstrip("]").partition(" ")[0]
            return f"{file} {recipe}" if file.endswith("test_recipes.py") else file

    return ByFileOrRecipe(config, log)


@pytest.fixture(autouse=True)
def same_start() -> None:
    """Every test draws the same random numbers, whichever tests ran before it."""
    if keras := sys.modules.get("keras"):  # who has not imported it does not draw from it
        keras.utils.set_random_seed(0)


@pytest.fixture(scope="module", autouse=True)
def young_heap() -> Iterator[None]:
    """What a module's tests leave behind is looked at once, not in every later collection: LiteRT's converter asks for
    a whole one each time, over all the graphs that older tests have made.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own folder as working directory, with a cache of its own and no `DLKIT_DATA`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DLKIT_DATA", raising=False)
    return tmp_path


@pytest.fixture
def cli(alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """`dlkit` in this process: arguments and what is on standard input in, `Ended` out."""
    from dlkit.cli import main

    def call(*arguments: object, stdin: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["dlkit", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return Ended(int(stop.value.code or 0), out, err)

    return call


@pytest.fixture
def process(alone: Path) -> Callable[..., Ended]:
    """`dlkit` in a process of its own. `python`: what stands between the interpreter and the arguments."""

    def call(*arguments: object, python: tuple[str, ...] = ("-m", "dlkit.cli"), stdin: bytes = b"") -> Ended:
        command = [sys.executable, *python, *map(str, arguments)]
        ended = subprocess.run(command, capture_output=True, input=stdin, timeout=120, check=False)
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    return call


@pytest.fixture
def everything() -> Callable[[Path], dict[str, bytes | None]]:
    """All that is in a folder, by its path; None for a folder."""

    def contents(folder: Path) -> dict[str, bytes | None]:
        paths = sorted(folder.rglob("*"))
        return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in paths}

    return contents


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`<recipe>/1` for each of `QUICK`, made once; only to be read: `runs` gives a copy to change."""
    from dlkit.api import run

    root = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DLKIT_CACHE", str(root / "cache"))
        environment.delenv("DLKIT_DATA", raising=False)
        environment.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        run("imdb", data="sample", epochs=2, out=root / "runs")
        run("boston", data="sample", epochs=3, settings={"training.folds": 0}, out=root / "runs")
    return root / "runs"


@pytest.fixture
def runs(finished_runs: Path, alone: Path) -> Path:
    """A copy of `finished_runs` as `saved_models/` in the test's folder, where commands look by themselves."""
    return Path(shutil.copytree(finished_runs, alone / "saved_models"))
