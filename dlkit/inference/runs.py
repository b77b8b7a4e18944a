"""Where is a run, is it whole, and can this dlkit read it?

A run folder is `<root>/<recipe>/<version>/`; `run.json` is written last but for `metrics.json`, and the whole
folder appears at once by a rename, so a version that exists is complete unless something damaged it later.
"""

from __future__ import annotations

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
    path, root = Path(run), Path(root)
    if (path / "run.json").is_file():
        return path
    folder = root / str(run)
    if len(path.parts) == 1 and (newest := newest_version(folder)) is not None:
        return newest
    if path.is_dir() and (newest := newest_version(path)) is not None:
        return newest
    if path.is_dir():
        raise RunError(f"{path} is no run folder: it holds no run.json. Make a run with: dlkit run RECIPE")
    if len(path.parts) > 1 or path.exists():
        raise RunNotFoundError(f"There is no run folder {path}. Runs lie in {root}/<recipe>/<version>/.")
    known = [child.name for child in root.iterdir() if newest_version(child)] if root.is_dir() else []
    raise RunNotFoundError(
        f"No complete run of {str(run)!r} in {root}/. Make one with: dlkit run {run}.{did_you_mean(str(run), known)}"
    )


def newest_version(folder: Path) -> Path | None:
    """The complete version with the highest number in a recipe's folder."""
    if not folder.is_dir():
        return None
    versions = [child for child in folder.iterdir() if child.name.isdigit() and (child / "run.json").is_file()]
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
        raise RunNotFoundError(f"{folder} has no artefact {name!r}.{did_you_mean(name, artefacts)}")
    path = folder / str(artefacts[name]["path"])
    parts = [folder / part for part in artefacts[name].get("parts", [path.name])]
    if not all(part.exists() for part in parts):
        raise RunError(f"{folder} is damaged: {path.name} is missing. Run the recipe again, or: dlkit export {folder}")
    found = combined_sha256(parts)
    if found != artefacts[name]["sha256"]:
        raise RunError(
            f"{path} is damaged: sha256 {found[:16]}… is not {artefacts[name]['sha256'][:16]}… as recorded. "
            "Run the recipe again."
        )
    return path


def combined_sha256(parts: list[Path]) -> str:
    """The digest of a single file, or one over the digests of several parts of an artefact."""
    if len(parts) == 1 and parts[0].is_file():
        return sha256(parts[0])
    return hashlib.sha256("".join(f"{part.name} {sha256(part)}\n" for part in parts).encode()).hexdigest()
