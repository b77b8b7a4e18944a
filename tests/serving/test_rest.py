"""Does the REST API answer as TensorFlow Serving does, and say plainly what is wrong with a request?"""

from __future__ import annotations

import base64
import json
import threading

import pytest

pytest.importorskip("nicegui", reason="the server is the extra 'serve'")

from fastapi.testclient import TestClient

from dlkit.errors import InputError, RunNotFoundError, SettingsError
from dlkit.serving import application
from dlkit.serving.limits import Limits
from dlkit.serving.payload import read_question
from dlkit.serving.rest import rest_application
from dlkit.serving.served import ServedModels

IMDB = "/v1/models/imdb"
GOOD, BAD = "a good film", "a dull film"


@pytest.fixture
def client(predictors):
    return TestClient(application(predictors, page=False), raise_server_exceptions=False)


def ask(client, content, path=f"{IMDB}:predict"):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    response = client.post(path, content=body)
    return response.status_code, response.json()


def test_rows_get_a_prediction_each_in_their_order(client):
    status, answer = ask(client, {"instances": [GOOD, {"text": BAD}]})
    assert status == 200
    assert [prediction["label"] for prediction in answer["predictions"]] == ["pos", "neg"]
    assert answer["predictions"][0]["probabilities"] == {"neg": pytest.approx(0.03), "pos": 0.97}


def test_columns_get_columns_back(client):
    inputs = {"rooms": [6, 7.5], "river": ["no", "yes"]}
    status, answer = ask(client, {"inputs": inputs}, "/v1/models/boston:predict")
    assert (status, answer["outputs"]["value"], answer["outputs"]["unit"]) == (200, [60.0, 80.0], ["k$", "k$"])


def test_a_single_column_may_go_unnamed_and_a_missing_warning_is_null(client):
    _, answer = ask(client, {"inputs": [GOOD, "xyzzy"], "signature_name": "serving_default"})
    assert answer["outputs"]["label"] == ["pos", "neg"]
    assert answer["outputs"]["warning"] == [None, "no word of this text was seen in training"]


def test_base64_stands_for_the_text_it_encodes(client):
    coded = {"b64": base64.b64encode("gööd, good".encode()).decode()}
    _, answer = ask(client, {"instances": [coded, {"text": coded}]})
    assert [prediction["label"] for prediction in answer["predictions"]] == ["pos", "pos"]


def test_status_lists_the_newest_version_first(client):
    versions = client.get(IMDB).json()["model_version_status"]
    assert [version["version"] for version in versions] == ["3", "2"]
    assert versions[0]["state"] == "AVAILABLE"
    assert [v["version"] for v in client.get(f"{IMDB}/versions/2").json()["model_version_status"]] == ["2"]


def test_an_old_version_is_asked_by_its_number(client):
    status, answer = ask(client, {"instances": [GOOD]}, f"{IMDB}/versions/2:predict")
    assert (status, answer["predictions"][0]["label"]) == (200, "pos")


@pytest.mark.parametrize(("path", "version"), [("", "3"), ("/versions/2", "2")])
def test_metadata_names_inputs_and_their_types(client, path, version):
    metadata = client.get(f"{IMDB}{path}/metadata").json()
    assert metadata["model_spec"]["version"] == version
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["text"]["dtype"] == "DT_STRING"
    assert metadata["metadata"]["dlkit"]["labels"] == ["neg", "pos"]


def test_health_names_the_models(client):
    assert client.get("/healthz").json() == {"status": "ok", "models": ["imdb", "boston"]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[1]", "Expected a JSON object"),
        (b"\xff{}", "not UTF-8"),
        (b"{}", 'either "instances"'),
        (b'{"instances": ["a"], "inputs": ["a"]}', 'either "instances"'),
        (b'{"instance": ["a"]}', "Did you mean 'instances'?"),
        (b'{"instances": "a"}', "a list of rows; got a text"),
        (b'{"instances": []}', "at least one row"),
        (b'{"instances": ["a"], "signature_name": "other"}', "only signature"),
        (b'{"instances": [NaN]}', "JSON has no NaN"),
        (b'{"instances": [-Infinity]}', "JSON has no -Infinity"),
        (b'{"instances": [1e999]}', "too large"),
        (b'{"instances": [' + b"9" * 5000 + b"]}", "cannot be read"),
        (b'{"instances": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"instances": ["\\ud800"]}', "surrogate pair"),
        (b'{"instances": [{"b64": "?"}]}', "Item 1"),
        (b'{"instances": [{"text": {"b64": "/w=="}}]}', "Item 1, column 'text'"),
        (b'{"inputs": {"texts": ["a"]}}', "Did you mean 'text'?"),
        (b'{"inputs": {"text": "a"}}', "a value for each row; got a text"),
        (b'{"inputs": 3}', "got a number"),
    ],
)
def test_what_is_no_request_is_refused_with_the_reason(client, body, message):
    status, answer = ask(client, body)
    assert status == 400
    assert message in answer["error"]


def test_a_bad_instance_is_refused_with_the_message_of_its_item(client):
    status, answer = ask(client, {"instances": [GOOD, 7]})
    assert (status, answer["error"]) == (400, "Item 2, column 'text': expected a text, got int '7'.")


def test_columns_of_unequal_length_are_refused(client):
    content = {"inputs": {"rooms": [6, 7], "tax": [1]}}
    status, answer = ask(client, content, "/v1/models/boston:predict")
    assert (status, answer["error"]) == (400, "The columns differ in length: rooms 2, tax 1.")


@pytest.mark.parametrize("path", ["/v1/models/imbd", "/v1/models/imbd/metadata", "/v1/models/imbd/versions/3"])
def test_a_misspelt_model_gets_did_you_mean(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert "Did you mean 'imdb'?" in response.json()["error"]


def test_an_unknown_model_is_not_asked(client):
    status, answer = ask(client, {"instances": [GOOD]}, "/v1/models/imbd:predict")
    assert status == 404
    assert "Did you mean 'imdb'?" in answer["error"]


@pytest.mark.parametrize("version", ["9", "two", "03"])
def test_an_unknown_version_names_those_that_are_served(client, version):
    status, answer = ask(client, {"instances": [GOOD]}, f"{IMDB}/versions/{version}:predict")
    assert status == 404
    assert "Served: 2, 3." in answer["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", f"{IMDB}:classify"), ("GET", "/v1/nothing"), ("DELETE", IMDB), ("GET", f"{IMDB}:predict")],
)
def test_other_paths_answer_in_json_what_there_is(client, method, path):
    response = client.request(method, path)
    assert response.status_code == 404
    assert response.json()["error"]


def test_a_body_beyond_the_limit_is_refused_whether_or_not_it_states_its_length(predictors):
    client = TestClient(rest_application(ServedModels(predictors), Limits(body_bytes=100)))
    body = json.dumps({"instances": [GOOD * 20]}).encode()
    stated = client.post(f"{IMDB}:predict", content=body)
    streamed = client.post(f"{IMDB}:predict", content=iter([body[:50], body[50:]]))
    for response in (stated, streamed):
        assert response.status_code == 413
        assert "larger than 100 bytes" in response.json()["error"]
    assert ask(client, {"instances": [GOOD]})[0] == 200


def test_too_many_instances_are_refused(predictors):
    client = TestClient(rest_application(ServedModels(predictors), Limits(instances=2)))
    assert ask(client, {"instances": [GOOD] * 2})[0] == 200
    status, answer = ask(client, {"instances": [GOOD] * 3})
    assert (status, answer["error"]) == (413, "The request has 3 rows; at most 2 are answered at once.")


@pytest.mark.parametrize(
    ("text", "message"), [("crash", "the model failed"), ("nan", "NaN or infinity"), ("bug", "(ZeroDivisionError)")]
)
def test_a_model_that_fails_is_status_500_and_never_invalid_json(client, text, message):
    status, answer = ask(client, {"instances": [text]})
    assert status == 500
    assert message in answer["error"]


def test_threads_never_ask_one_interpreter_at_the_same_time(predictors):
    inside, most = [], []

    def predict(items):
        inside.append(items)
        most.append(len(inside))
        threading.Event().wait(0.002)
        inside.remove(items)
        return []

    predictors[0].predict = predict
    model = ServedModels(predictors).find("imdb")
    threads = [threading.Thread(target=model.predict, args=([number],)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_two_runs_under_one_address_are_refused(predictors):
    with pytest.raises(SettingsError, match="Two runs would both be served as 'imdb' version 3"):
        ServedModels([predictors[0], predictors[0]])


def test_serving_nothing_is_refused():
    with pytest.raises(SettingsError, match="at least one run"):
        application([])


def test_a_version_is_found_by_its_exact_digits(predictors):
    models = ServedModels(predictors)
    assert models.find("imdb").version == 3
    assert models.find("imdb", "2").version == 2
    with pytest.raises(RunNotFoundError):
        models.find("imdb", "02")


def test_a_column_called_b64_is_taken_as_it_is():
    question = read_question(b'{"instances": [{"b64": "?"}]}', {"b64": "text"})
    assert question.items == [{"b64": "?"}]
    with pytest.raises(InputError):
        read_question(b'{"instances": [{"b64": "?"}]}', {"text": "text"})
