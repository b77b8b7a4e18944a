"""What does a person, or a program with --json, see of a result or an error?

Results go to standard output, progress and errors to standard error. Whatever native libraries write to standard
output while a command works is sent to standard error, so that `--json` prints exactly one JSON object.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator

import click

from dlkit.errors import DlkitError
from dlkit.inference.quiet import silent_standard_error


def say(message: str) -> None:
    """A line of progress, on standard error."""
    click.echo(message, err=True)


def result(document: object, as_json: bool, human: Callable[[], str]) -> None:
    """Keep the result of a command; `guarded` prints it when the command is done."""
    _results.append(_json(document) if as_json else human())


_results: list[str] = []


def lines(batches: Iterator[Iterable[str]]) -> None:
    """Print lines some at a time, as soon as they are made, until there are no more or nobody reads them."""
    try:
        for batch in batches:
            sys.stdout.write("".join(_encodable(line) + "\n" for line in batch))
            sys.stdout.flush()
    except BrokenPipeError:
        _leave_standard_output()


def guarded(command: Callable[[], object], *, as_json: bool) -> int:
    """Run a command and give its exit code: every error ends in one message, none in a traceback.

    The environment variable DLKIT_TRACEBACK=1 shows the traceback of an internal error.
    """
    _results.clear()
    _quiet_native_logs()
    try:
        with _standard_output_kept_clean() if as_json else contextlib.nullcontext():
            code = command()
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except (DlkitError, click.ClickException, click.Abort, KeyboardInterrupt, OSError, MemoryError) as error:
        code = _fail(error, as_json)
    except SystemExit as stop:
        code = stop.code
    except Exception as error:
        code = _fail(error, as_json)
    return _print_results(code if isinstance(code, int) else 0)


def _print_results(code: int) -> int:
    try:
        for text in _results:
            click.echo(_encodable(text))
    except BrokenPipeError:  # `| head` has read what it wanted
        _leave_standard_output()
    except OSError as error:
        _leave_standard_output()
        click.echo(f"error: the result cannot be written to standard output ({error.strerror}).", err=True)
        return code or 1
    return code


def _leave_standard_output() -> None:
    # Python writes what is left in its buffer when it ends, and would complain of the same error again.
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _json(document: object) -> str:
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, default=str)
    # Where a character cannot be printed (ASCII terminals, broken UTF-8 from the command line), JSON's own escapes can.
    return text if _encodable(text) == text else json.dumps(document, allow_nan=False, default=str)


def _encodable(text: str) -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _fail(error: BaseException, as_json: bool) -> int:
    message, code = _message(error)
    if os.environ.get("DLKIT_TRACEBACK") == "1":
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(error.ctx.get_usage(), err=True)
    click.echo(f"error: {message}", err=True)
    if as_json:
        _results[:] = [_json({"error": message, "exit_code": code})]
    return code


def _message(error: BaseException) -> tuple[str, int]:
    kind = type(error).__name__
    first = next((line for line in str(error).splitlines() if line.strip()), "")[:300]
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if isinstance(error, DlkitError):
        message, code = str(error), error.exit_code
    elif isinstance(error, click.ClickException):
        message, code = error.format_message(), error.exit_code
    elif isinstance(error, click.Abort | KeyboardInterrupt):
        message, code = "interrupted. Nothing half-written was left; a run goes on with --resume.", 1
    elif full or "No space left on device" in str(error):
        message, code = f"the disk is full ({first}). Free some space and run again.", 1
    elif isinstance(error, MemoryError):
        message, code = "the memory is not enough. Lower training.batch_size or give fewer rows.", 1
    elif isinstance(error, OSError):
        where = f"{str(error.filename)[:200]}: cannot be read or written ({error.strerror}). Check the path."
        message, code = where if error.filename else f"{kind}: {first}", 1
    else:
        message, code = f"unforeseen {kind}: {first}. DLKIT_TRACEBACK=1 shows where; please report it.", 1
    return message, code


def _quiet_native_logs() -> None:
    # TensorFlow logs its start-up (no GPU, oneDNN) as errors; a user who wants that sets the variable.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def load_tensorflow() -> None:
    """Import TensorFlow and start it up, without the pages that it logs while it does so."""
    with silent_standard_error():
        import tensorflow as tf

        tf.config.list_logical_devices()
    # It warns of "retracing" when several networks are used one after the other, as k-fold validation does.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextlib.contextmanager
def _standard_output_kept_clean() -> Iterator[None]:
    try:
        kept = os.dup(1) if sys.stdout is not None else None
    except OSError:
        kept = None
    if kept is None:  # standard output is closed
        yield
        return
    sys.stdout.flush()
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
