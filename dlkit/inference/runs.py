"""Where is a run, is it whole, and can this dlkit read it?

A run folder is `<root>/<recipe>/<version>/`; `run.json` is written last but for `metrics.json`, and the whole
folder appears at once by a rename, so a version that exists is complete unless something damaged it later.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from dlkit.errors import RunError, RunNotFoundError, did_you_mean

FORMAT = 1
"""Version of the run folder's layout; a reader refuses what is newer."""
ROOT = Path("saved_models")
ASSETS = "assets.extra"


def find_run(run: str | Path, root: str | Path = ROOT) -> Path:
    """The folder of a run: a path to it, or a recipe's name for its newest complete version."""
    root = Path(root)
    try:
        found = _found(Path(run), root) if str(run) else None
    except (OSError, ValueError) as error:  # too long a name, a zero byte, a folder that may not be searched
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise RunNotFoundError(
            f"{str(run)[:60]!r} cannot be a run ({reason}). The first argument is a run folder or a recipe's name."
        ) from error
    if found is not None:
        return found
    if len(Path(run).parts) > 1:
        raise RunNotFoundError(f"There is no run folder {run}. Runs lie in {root}/<recipe>/<version>/.")
    name = str(run)
    short = name if len(name) <= 60 else f"{name[:60]}…"
    raise RunNotFoundError(
        f"No complete run of {short!r} in {root}/. Make one with: dlkit run RECIPE.{did_you_mean(name[:60], _in(root))}"
    )


def _in(root: Path) -> list[str]:
    """Names of the recipes that have a complete run there, as far as folders may be looked into."""
    names: list[str] = []
    with contextlib.suppress(OSError, ValueError):
        for child in root.iterdir():
            with contextlib.suppress(OSError):
                names += [child.name] if newest_version(child) else []
    return names


def _found(path: Path, root: Path) -> Path | None:
    if (path / "run.json").is_file():
        return path
    if len(path.parts) == 1 and (newest := newest_version(root / path)) is not None:
        return newest
    if path.is_dir() and (newest := newest_version(path)) is not None:
        return newest
    if path.is_dir():
        raise RunError(f"{path} is no run folder: it holds no run.json. Make a run with: dlkit run RECIPE")
    return None


def newest_version(folder: Path) -> Path | None:
    """The complete version with the highest number in a recipe's folder."""
    if not folder.is_dir():
        return None
    versions = [child for child in folder.iterdir() if child.name.isdecimal() and (child / "run.json").is_file()]
    return max(versions, key=lambda version: int(version.name), default=None)


def read_json(path: Path) -> dict[str, object]:
    """A JSON object of a run folder; RunError where it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path.parent} is damaged: {path.name} is missing. Run the recipe again.") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}). Run the recipe again.") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} is damaged: expected a JSON object, got {type(content).__name__}.")
    return content


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write what `read_json` reads; ValueError for a number that JSON does not have."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_run(folder: Path) -> dict[str, object]:
    """`run.json`, checked for its format version."""
    content = read_json(folder / "run.json")
    found = content.get("format")
    if not isinstance(found, int):
        raise RunError(f"{folder / 'run.json'} is damaged: it has no whole number as its format.")
    if found > FORMAT:
        raise RunError(
            f"{folder} has format {found}, this dlkit reads up to {FORMAT}. Upgrade: pip install --upgrade dlkit"
        )
    return content


def sha256(path: Path) -> str:
    """Hex digest of a file; of a folder, over the sorted names and contents of its files."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(child for child in path.rglob("*") if child.is_file())
    for file in files:
        if file != path:
            digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def artefact_path(folder: Path, run: Mapping[str, object], name: str) -> Path:
    """The file or folder of an artefact, its checksum compared with what the run recorded."""
    artefacts = run.get("artefacts")
    if not isinstance(artefacts, dict):
        raise RunError(f"{folder / 'run.json'} is damaged: it lists no artefacts.")
    if name not in artefacts:
        raise RunNotFoundError(
            f"{folder} has no artefact {name!r} (dlkit export makes more).{did_you_mean(name, artefacts)}"
        )
    try:
        path, recorded = folder / str(artefacts[name]["path"]), str(artefacts[name]["sha256"])
        parts = [folder / str(part) for part in artefacts[name].get("parts", [path.name])]
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{folder / 'run.json'} is damaged: its entry of {name!r} is not whole.") from error
    missing = [part.name for part in parts if not part.exists()]
    if missing:
        raise RunError(f"{folder} is damaged: {missing[0]} is missing. Run the recipe again.")
    _compare(path, combined_sha256(parts), recorded)
    return path


def asset_checksums(folder: Path) -> dict[str, str]:
    """Name and sha256 of each file in a run's `assets.extra/`, as `run.json` records them."""
    assets = folder / ASSETS
    files = [path for path in sorted(assets.rglob("*")) if path.is_file()]
    return {path.relative_to(assets).as_posix(): sha256(path) for path in files}


def check_assets(folder: Path, run: Mapping[str, object]) -> None:
    """Compare a run's vocabulary, labels and scaling with what it recorded: damaged ones would answer wrongly."""
    recorded = run.get("assets")
    if not isinstance(recorded, dict):
        raise RunError(f"{folder / 'run.json'} is damaged: it lists no assets.")
    for name, digest in recorded.items():
        path = folder / ASSETS / str(name)
        if not path.is_file():
            raise RunError(f"{path.parent} is damaged: {name} is missing. Run the recipe again.")
        _compare(path, sha256(path), str(digest))


def _compare(path: Path, found: str, recorded: str) -> None:
    if found != recorded:
        raise RunError(
            f"{path} is damaged: sha256 {found[:16]}… is not {recorded[:16]}… as recorded. Run the recipe again."
        )


def combined_sha256(parts: list[Path]) -> str:
    """The digest of a single file, or one over the digests of several parts of an artefact."""
    if len(parts) == 1 and parts[0].is_file():
        return sha256(parts[0])
    return hashlib.sha256("".join(f"{part.name} {sha256(part)}\n" for part in parts).encode()).hexdigest()
