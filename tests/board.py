"""TensorBoard as a person or a browser meets it: its plugins, its server."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from tensorboard import default, program
from tensorboard.backend import application
from tensorboard.backend.event_processing import data_ingester
from werkzeug.test import Client


def open_plugins(directory):
    """A client of TensorBoard's plugins, on all that a directory holds; no socket."""
    board = program.TensorBoard(default.get_plugins())
    flags = ["--load_fast=false", "--reload_task=blocking", "--reload_interval=0"]
    images = "--samples_per_plugin=images=100"
    board.configure(["tensorboard", "--logdir", str(directory), *flags, images])
    ingester = data_ingester.LocalDataIngester(board.flags)
    ingester.start()
    app = application.TensorBoardWSGIApp(
        board.flags,
        board.plugin_loaders,
        ingester.data_provider,
        board.assets_zip_provider,
        ingester.deprecated_multiplexer,
    )
    client = Client(app)

    def ask(path, body=None):
        return (client.post(path, json=body) if body else client.get(path)).data

    return Plugins(ask)


class Plugins:
    """Asks TensorBoard what it would show."""

    def __init__(self, ask):
        self._ask = ask

    def __call__(self, plugin, body=None, **query):
        """What a plugin answers, parsed: `plugin("scalars/tags")`."""
        path = f"/data/plugin/{plugin}?{urllib.parse.urlencode(query)}"
        return json.loads(self._ask(path, body))

    def bytes(self, path):
        return self._ask(path)

    def runs(self):
        return json.loads(self._ask("/data/runs"))

    def curve(self, run, tag):
        """Values by step."""
        found = self("scalars/scalars", run=run, tag=tag)
        return {step: value for _, step, value in found}

    def trials(self):
        """The rows of the HParams table, by name."""
        body = {
            "experimentName": "",
            "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_UNKNOWN"],
            "startIndex": 0,
            "sliceSize": 100,
            "aggregationType": "AGGREGATION_AVG",
        }
        groups = self("hparams/session_groups", body)["sessionGroups"]
        return {group["name"]: group for group in groups}


@contextlib.contextmanager
def serve(directory, *flags):
    """A TensorBoard process that looks for news every second; yields its address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(directory)]
    flags = ["--port", "0", "--host", "127.0.0.1", "--reload_interval", "1", *flags]
    with subprocess.Popen(
        [*command, *flags],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    ) as process:
        try:
            while not (
                found := re.search(r"http://\S+:\d+/", process.stderr.readline())
            ):
                assert process.poll() is None
            yield found[0]
        finally:
            process.kill()  # It does not always heed a milder signal.


def open_server(address):
    """A client of a server's plugins."""

    def ask(path, body=None):
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(urllib.parse.urljoin(address, path), data)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    return Plugins(ask)


def eventually(condition, seconds=120):
    """Wait until a condition holds; that something is not found is a no."""
    last = time.monotonic() + seconds
    while True:
        with contextlib.suppress(urllib.error.HTTPError):
            if condition():
                return
        assert time.monotonic() < last, "it did not come to be"
        time.sleep(0.2)
