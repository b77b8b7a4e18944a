"""How can a recipe say `import keras` at its top, and `dlkit show` not wait for it?

While a recipe file runs, heavy packages are stood in for by modules that load the real one when an attribute is first
asked for. `importlib.util.LazyLoader` will not do: with a lazy keras in `sys.modules`, importing TensorFlow asks that
keras for an attribute in the middle of its own import, and both end up half-loaded. A stand-in is gone from
`sys.modules` when the recipe has been read; only the recipe's own names still point to it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

from dlkit.inference.quiet import silent_standard_error

_HEAVY_PACKAGES = ("keras", "keras_hub", "tensorflow", "tensorflow_datasets")
HEAVY_MODULES = (
    "dlkit.models.autoencoder_layers",
    "dlkit.models.image_layers",
    "dlkit.models.latent_codes",
    "dlkit.models.latent_layers",
    "dlkit.models.layers",
    "dlkit.models.pooling",
    "dlkit.models.series_layers",
    "dlkit.models.seq2seq_layers",
    "dlkit.models.text_layers",
    "dlkit.models.translation_layers",
    "dlkit.models.translator_ensembles",
)
"""Those of dlkit's own layers and networks: whoever loads a file of Keras has to import them first."""


@contextmanager
def heavy_imports_wait() -> Iterator[None]:
    """Inside the block, importing a heavy module that is not loaded yet costs nothing."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name, module in sys.modules.items() if isinstance(module, _StandIn)]:
            _forget(name)


class _StandIn(ModuleType):
    """In the place of a module that is not needed yet."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        inner = f"{self.__name__}.{name}"
        # `from keras import layers` asks for the attribute before it looks for a module: that can wait as well.
        if _waiting() and importlib.machinery.PathFinder.find_spec(inner, vars(self).get("__path__", [])) is not None:
            return importlib.import_module(inner)
        return getattr(_real(self.__name__), name)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in HEAVY_MODULES and name.partition(".")[0] not in _HEAVY_PACKAGES:
            return None
        found = importlib.machinery.PathFinder.find_spec(name, path, target)
        if found is None:
            return None
        spec = ModuleSpec(name, self, origin=found.origin, is_package=found.submodule_search_locations is not None)
        spec.submodule_search_locations = found.submodule_search_locations
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing runs until an attribute is asked for."""


def _waiting() -> list[_Finder]:
    return [finder for finder in sys.meta_path if isinstance(finder, _Finder)]


def _real(name: str) -> ModuleType:
    """The real module, imported with no stand-in in its way."""
    waiting = _waiting()
    for finder in waiting:
        sys.meta_path.remove(finder)
    try:
        for other in [other for other, module in sys.modules.items() if isinstance(module, _StandIn)]:
            _forget(other)
        with silent_standard_error():  # TensorFlow logs its start-up there
            return importlib.import_module(name)
    finally:
        sys.meta_path[:0] = waiting


def _forget(name: str) -> None:
    """Take a stand-in out of `sys.modules` and out of its package."""
    module = sys.modules.pop(name)
    package, _, last = name.rpartition(".")
    parent = sys.modules.get(package)
    if parent is not None and vars(parent).get(last) is module:
        delattr(parent, last)
