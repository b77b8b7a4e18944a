"""How does a program ask? TensorFlow Serving's REST API, so that its clients need no change.

::

    GET  /v1/models/NAME[/versions/N]            state of the versions
    GET  /v1/models/NAME[/versions/N]/metadata   inputs and outputs, as signature and in plain words
    POST /v1/models/NAME[/versions/N]:predict    rows or columns in, answers out
    GET  /healthz                                200 while the server answers

Without a version the newest is asked. Every error is `{"error": "…"}`, with status 400 (the request), 404 (no
such model, version or path), 413 (too large) or 500 (the model).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from dlkit.contracts import ColumnKind
from dlkit.errors import DlkitError, InputError, RunNotFoundError
from dlkit.inference import Predictor
from dlkit.inference.answers import ClassAnswer, JointAnswer
from dlkit.inference.images import size_of
from dlkit.serving.limits import BodyLimit, Limits
from dlkit.serving.payload import SIGNATURE, read_question, write_answers
from dlkit.serving.served import ServedModel, ServedModels

_PATHS = "/v1/models/NAME, /v1/models/NAME/metadata, /v1/models/NAME:predict; NAME/versions/N in place of NAME"
_DTYPES: dict[ColumnKind, str] = {
    "text": "DT_STRING",
    "number": "DT_DOUBLE",
    "category": "DT_STRING",
    "image": "DT_STRING",
    "series": "DT_DOUBLE",
    "time": "DT_STRING",
}
_CLASS = {"label": "DT_STRING", "score": "DT_DOUBLE"}
_VALUE = {"value": "DT_DOUBLE"}


def rest_application(models: ServedModels, limits: Limits) -> FastAPI:
    """The REST API alone, without the page."""
    # FastAPI's own documentation pages load their scripts from a content network: off, this works offline.
    app = FastAPI(title="dlkit", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(BodyLimit, body_bytes=limits.body_bytes)
    _add_errors(app)

    @app.get("/healthz")
    async def healthz() -> Response:
        return _json({"status": "ok", "models": [model.name for model in models]})

    for path in ("/v1/models/{name}", "/v1/models/{name}/versions/{version}"):
        _add_model(app, path, models, limits)

    @app.api_route("/v1/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def unknown(request: Request) -> Response:
        raise HTTPException(404, f"There is no {request.method} {request.url.path}. Paths: {_PATHS} (POST).")

    return app


def _add_model(app: FastAPI, path: str, models: ServedModels, limits: Limits) -> None:
    @app.get(path)
    async def status(name: str, version: str | None = None) -> Response:
        if version is None and name.endswith(":predict"):
            raise HTTPException(404, 'Predictions are asked for with POST, as in {"instances": [row, …]}.')
        found = models.versions(name) if version is None else [models.find(name, version)]
        return _json({"model_version_status": [_status(model) for model in reversed(found)]})

    @app.get(f"{path}/metadata")
    async def metadata(name: str, version: str | None = None) -> Response:
        return _json(_metadata(models.find(name, version).predictor))

    @app.post(f"{path}:predict")
    async def predict(request: Request, name: str, version: str | None = None) -> Response:
        model = models.find(name, version)
        body = await request.body()
        return await run_in_threadpool(_predict, model, body, limits)


def _predict(model: ServedModel, body: bytes, limits: Limits) -> Response:
    question = read_question(body, model.predictor.kinds, model.signatures)
    if len(question.items) > limits.instances:
        raise HTTPException(
            413, f"The request has {len(question.items):,} rows; at most {limits.instances:,} are answered at once."
        )
    if "image" in model.predictor.kinds.values() and _pixels(question.items) > limits.pixels:
        raise HTTPException(
            413, f"The pictures of the request have more than {limits.pixels:,} pixels together. Send fewer at a time."
        )
    answers = model.predict(question.items, question.signature)
    try:
        return _json(write_answers(answers, by_column=question.by_column))
    except ValueError:
        raise DlkitError(f"Model {model.name!r} answered with NaN or infinity, which is no answer.") from None


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return _json({"error": str(error.detail)}, error.status_code)

    @app.exception_handler(DlkitError)
    async def failed(_: Request, error: DlkitError) -> Response:
        status = 400 if isinstance(error, InputError) else 404 if isinstance(error, RunNotFoundError) else 500
        return _json({"error": str(error)}, status)

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> Response:
        return _json({"error": f"The server failed on this request ({type(error).__name__}); see its log."}, 500)


def _json(content: object, status: int = 200) -> Response:
    # Starlette's own response writes characters as they are, which fails on half of a surrogate pair in an error.
    return Response(json.dumps(content, allow_nan=False), status, media_type="application/json")


def _pixels(items: Sequence[object]) -> int:
    """Of all encoded pictures, by what their headers say."""
    values = [value for item in items for value in (item.values() if isinstance(item, Mapping) else [item])]
    sizes = [size_of(value) for value in values if isinstance(value, bytes)]
    return sum(height * width for height, width in filter(None, sizes))


def _status(model: ServedModel) -> dict[str, object]:
    ok = {"error_code": "OK", "error_message": ""}
    return {"version": str(model.version), "state": "AVAILABLE", "status": ok}


def _metadata(predictor: Predictor) -> dict[str, object]:
    outputs = _CLASS if predictor.labels else _VALUE
    if predictor.task == "joint" and isinstance(predictor.answer, JointAnswer):
        outputs = {
            f"{name}.{key}": dtype
            for name, part in predictor.answer.parts.items()
            for key, dtype in (_CLASS if isinstance(part, ClassAnswer) else _VALUE).items()
        }
    if predictor.task == "anomaly":
        outputs = {"score": "DT_DOUBLE", "threshold": "DT_DOUBLE", "anomaly": "DT_BOOL"}
    if predictor.task == "forecasting":
        outputs = {"time": "DT_STRING", "forecast": "DT_DOUBLE"}
    if predictor.is_latent:
        outputs = {"code": "DT_DOUBLE", "mse": "DT_DOUBLE", "reconstruction": "DT_DOUBLE"}
    if predictor.task == "translation":
        outputs = {"translation": "DT_STRING", "score": "DT_DOUBLE"}
    signature = {
        "inputs": {name: _tensor(name, _DTYPES[kind]) for name, kind in predictor.kinds.items()},
        "outputs": {name: _tensor(name, dtype) for name, dtype in outputs.items()},
        "method_name": "tensorflow/serving/predict",
    }
    words = {
        "question": predictor.question,
        "task": predictor.task,
        "kinds": dict(predictor.kinds),
        "choices": {name: list(values) for name, values in predictor.choices.items()},
        "labels": list(predictor.labels),
    }
    return {
        "model_spec": {"name": predictor.recipe, "signature_name": "", "version": str(predictor.version)},
        "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}, "dlkit": words},
    }


def _tensor(name: str, dtype: str) -> dict[str, object]:
    shape = {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    return {"name": name, "dtype": dtype, "tensor_shape": shape}
