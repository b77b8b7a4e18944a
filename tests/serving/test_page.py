"""Can a person use the page offline, and does the server start, refuse and stop as it should?"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("nicegui", reason="the server is the extra 'serve'")

from starlette.exceptions import HTTPException

from dlkit.errors import InputError, MissingExtraError, SettingsError
from dlkit.serving import application, serve
from dlkit.serving.batch import in_cells, read_table, write_answers_csv
from dlkit.serving.figures import read_figures
from dlkit.serving.limits import Limits
from dlkit.serving.page import _file
from dlkit.serving.served import ServedModels

SERVER = Path(__file__).with_name("conftest.py")
# The SVG name space is a name, not an address: nothing is fetched from it.
NAMES = {"www.w3.org"}


def start(port, folder, *, ctrl_c=signal.SIG_DFL):
    """`ctrl_c`: what a process starts with; a shell without job control has its background jobs ignore it."""
    command = [sys.executable, str(SERVER), str(port), str(folder)]
    with (folder / "log.txt").open("w") as log:
        return subprocess.Popen(
            command,
            stderr=log,
            cwd=folder,
            preexec_fn=lambda: signal.signal(signal.SIGINT, ctrl_c),  # noqa: PLW1509 (no thread here holds a lock)
        )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(address):
    """Status and text; a path goes out as it is written, `..` included."""
    try:
        with urllib.request.urlopen(address, timeout=20) as response:  # noqa: S310 (our own address)
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def wait_for(address):
    for _ in range(100):
        with contextlib.suppress(OSError):
            return get(address)
        time.sleep(0.1)
    raise TimeoutError(address)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with start(port, tmp_path_factory.mktemp("server")) as process:
        wait_for(f"{address}/healthz")
        yield address
        process.terminate()


@pytest.mark.parametrize("path", ["/", "/models/imdb", "/models/imdb/versions/2", "/models/boston"])
def test_pages_name_no_other_host(address, path):
    status, page = get(address + path)
    assert status == 200
    hosts = re.findall(r"//([\w-]+(?:\.[\w-]+)+)", page)
    assert set(hosts) - NAMES <= {"127.0.0.1"}


def test_all_that_a_page_loads_is_served_from_here(address):
    _, page = get(f"{address}/models/imdb")
    assets = set(re.findall(r"""["'(](/_nicegui/[^"')]+\.(?:js|css|mjs|ico|woff2))["')]""", page))
    assert len(assets) > 5
    assert {asset: get(address + asset)[0] for asset in assets} == dict.fromkeys(assets, 200)


def test_the_page_shows_the_question_the_figures_and_the_report(address):
    _, page = get(f"{address}/models/boston")
    for text in ("What does a house in a town near Boston cost?", "2.08", "Typical row", "sample data", "report.html"):
        assert text in page
    assert '"selector":"html","classes":[],"style":{},"props":{"lang":"en"}' in page


def test_an_unknown_model_has_a_page_that_says_so(address):
    assert "Did you mean" in get(f"{address}/models/imbd")[1]


def test_report_and_plots_come_from_the_run_folder(address):
    assert get(f"{address}/models/imdb/versions/3/report.html") == (200, "<h1>the report</h1>")
    assert get(f"{address}/models/imdb/versions/3/plots/loss.svg") == (200, "<svg/>")


@pytest.mark.parametrize("file", ["../metrics.json", "..%2Fmetrics.json", "%2e%2e%2fmetrics.json", "..", "none.svg"])
def test_no_other_file_leaves_the_run_folder(address, file):
    status, text = get(f"{address}/models/imdb/versions/3/plots/{file}")
    assert status == 404
    assert "accuracy" not in text


def test_a_link_out_of_the_folder_of_plots_is_not_followed(tmp_path):
    plots = tmp_path / "plots"
    plots.mkdir()
    (tmp_path / "metrics.json").write_text("{}")
    (plots / "loss.svg").write_text("<svg/>")
    (plots / "out.svg").symlink_to(tmp_path / "metrics.json")
    assert Path(_file(plots, "loss.svg").path) == plots / "loss.svg"
    for name in ("out.svg", "../metrics.json", "..", "none.svg"):
        with pytest.raises(HTTPException) as refused:
            _file(plots, name)
        assert refused.value.status_code == 404


def test_rest_and_page_share_one_server(address):
    assert get(f"{address}/v1/models/imdb")[0] == 200
    assert get(f"{address}/v1/models/imbd")[0] == 404


@pytest.mark.parametrize("ctrl_c", [signal.SIG_DFL, signal.SIG_IGN], ids=["in front", "in the background"])
def test_ctrl_c_stops_with_status_0_and_nothing_heavy_was_loaded(tmp_path, ctrl_c):
    port = free_port()
    with start(port, tmp_path, ctrl_c=ctrl_c) as process:
        wait_for(f"http://127.0.0.1:{port}/")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    log = (tmp_path / "log.txt").read_text()
    assert "Stopped." in log
    assert "loaded: ['nicegui']" in log
    assert "Traceback" not in log
    assert sorted(path.name for path in tmp_path.iterdir()) == ["boston", "imdb", "log.txt"]


def test_a_port_in_use_is_known_before_anything_is_loaded(predictors):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=f"Port {port} of 127.0.0.1 is in use.*--port 0"):
            serve(predictors, port=port, say=pytest.fail)


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [("127.0.0.1", 70_000, "--port 70000"), ("no-such-host.invalid", 0, "--host"), ("203.0.113.7", 0, "--host")],
)
def test_an_address_that_cannot_be_listened_on_is_wrong_usage(predictors, host, port, message):
    with pytest.raises(SettingsError, match=message):
        serve(predictors, host=host, port=port, say=pytest.fail)


def test_without_the_extra_the_message_is_its_command(predictors, monkeypatch):
    monkeypatch.setitem(sys.modules, "nicegui", None)
    monkeypatch.delitem(sys.modules, "dlkit.serving.page", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'dlkit\[serve\]'"):
        application(predictors)


def test_an_example_fills_the_form_and_shows_its_answer(predictors):
    simulation = pytest.importorskip("nicegui.testing.user_simulation", reason="came after NiceGUI 3.0")
    from nicegui import ui

    from dlkit.serving.page import define_pages

    async def use() -> None:
        async with simulation.user_simulation() as user:
            define_pages(ServedModels(predictors), Limits())
            await user.open("/models/boston")
            user.find("Predict").click()
            await user.should_see("Item 1 is empty: expected the columns rooms, tax, river.")
            user.find("Typical row").click()
            await user.should_see("62 k$")
            await user.open("/models/imdb")
            user.find(ui.textarea).type("a good film, xyzzy")
            user.find("Predict").click()
            await user.should_see("with probability 97.0 %")
            await user.should_see("no word of this text was seen in training")

    # NiceGUI's simulation throws the module that defined the pages out of `sys.modules`, and its packages with it.
    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "dlkit"}
    try:
        asyncio.run(use())
    finally:
        sys.modules.update(ours)


def test_csv_rows_keep_their_other_columns_and_get_answers_beside_them(predictors):
    table = read_table('﻿id;text;label\n1;a good film;x\n2;"dull; long";y\n'.encode(), most_rows=10)
    items = table.items({"text": "text"})
    assert items == [{"text": "a good film"}, {"text": "dull; long"}]
    lines = write_answers_csv(table, predictors[0].predict(items)).decode("utf-8-sig").splitlines()
    assert lines == ["id,text,label,answer label,score", "1,a good film,x,pos,0.97", "2,dull; long,y,neg,0.9"]


def test_a_row_that_was_made_again_is_beside_the_row_with_its_code() -> None:
    table = read_table(b"rooms,code_1\n6,x\n", most_rows=10)
    answer = {"reconstruction": {"rooms": 5.5, "river": "no"}, "mse": 0.25, "code": [1.5, -2.0]}
    lines = write_answers_csv(table, [in_cells(answer)]).decode("utf-8-sig").splitlines()
    assert lines[0] == "rooms,code_1,mse,answer code_1,code_2,reconstruction rooms,reconstruction river"
    assert lines[1] == "6,x,0.25,1.5,-2.0,5.5,no"


def test_an_empty_cell_of_a_table_is_a_missing_value(predictors):
    table = read_table(b"rooms,tax,river\n6,,yes\n", most_rows=10)
    assert table.items(predictors[2].kinds) == [{"rooms": "6", "tax": None, "river": "yes"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "at least one row"),
        (b"text\n", "at least one row"),
        (b"text,text\na,b\n", "same name"),
        (b"text,id\na,1\nb\n", "Row 2 has 1 cells"),
        (b"text\n" + b"a\n" * 11, "at most 10"),
        ("text\nschön\n".encode("latin-1"), "not UTF-8"),
        (b'text\n"open\n', "no CSV"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_reason(content, message):
    with pytest.raises(InputError, match=message):
        read_table(content, most_rows=10)


def test_a_table_without_the_models_columns_is_refused():
    table = read_table(b"texts,id\na,1\n", most_rows=10)
    with pytest.raises(InputError, match=r"Did you mean 'texts'\?"):
        table.items({"text": "text"})
    with pytest.raises(InputError, match="none of the model's columns"):
        table.items({"rooms": "number"})


def test_figures_stand_beside_each_baseline(predictors):
    figures = read_figures(predictors[2].run)
    assert figures.columns == ("this model", "mean", "linear")
    assert figures.rows == (("mae", (2.08, 6.5, 3.3)), ("mse", (9.4, 84.6, None)))
    assert "sample data" in figures.remarks[0]


def test_a_run_without_readable_figures_is_served_without_them(predictors):
    metrics = predictors[2].run / "metrics.json"
    metrics.write_text('{"test": [1]}')
    assert read_figures(metrics.parent) is None
    metrics.unlink()
    assert read_figures(metrics.parent) is None
