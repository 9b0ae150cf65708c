"""`regard live --serve` as a user runs it: where the page is, what is refused, and Ctrl-C with a browser that hangs."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from websockets.sync.client import connect

from regard.io import Video
from regard.io.predictions import open_prediction
from regard.page.serving import Serving


def test_a_run_says_where_its_page_is(say, world: Path):
    said = say("live", world, "--model", "centre-prior", "--fast", "--serve", "--port", "0")
    assert said.code == 0
    assert re.search(r"open: http://127\.0\.0\.1:\d+/\n", said.out)


def test_beyond_this_machine_the_address_holds_a_token(say, world: Path):
    said = say("live", world, "--model", "centre-prior", "--fast", "--serve", "--port", "0", "--host", "0.0.0.0")
    assert said.code == 0
    assert re.search(r"open: http://[^/]+:\d+/\?token=\S{32}\n", said.out)


def test_a_page_that_cannot_be_served_is_explained_before_anything_is_done(
    refused, world: Path, monkeypatch: pytest.MonkeyPatch
):
    with Serving(port=0) as other:
        assert "in use" in refused("live", world, "--serve", "--port", other.port).found
    assert "no such address" in refused("live", world, "--serve", "--host", "no.such.host.invalid").found
    assert "without a page" in refused("live", world, "--host", "0.0.0.0").found
    assert "without a page" in refused("live", world, "--port", "8000").found
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert "regard[serve]" in refused("live", world, "--serve").do


def test_ports_that_are_none_are_refused(say, world: Path, capsys: pytest.CaptureFixture[str]):
    for port in ("-1", "65536", "a"):
        with pytest.raises(SystemExit):
            say("live", world, "--serve", "--port", port)
        assert "wanted a port from 0 to 65535" in capsys.readouterr().err


def test_ctrl_c_with_a_viewer_that_hangs_leaves_a_finished_film_and_table(tmp_path: Path):
    pictures = "import os, time\nwhile True: os.write(1, bytes(48 * 64 * 3)); time.sleep(0.02)"
    words = ["-", "--size", "64x48", "--rate_hz", "50", "--model", "centre-prior", "--save", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, "-c", pictures], stdout=subprocess.PIPE) as sender:
        command = [sys.executable, "-m", "regard", "live", *words, "--serve", "--port", "0"]
        with subprocess.Popen(
            command, stdin=sender.stdout, stdout=subprocess.PIPE, text=True, env=environment
        ) as regard:
            assert regard.stdout is not None
            address = re.search(r"http(://\S+)", regard.stdout.readline())
            assert address is not None
            with connect(f"ws{address[1]}live", max_queue=1, close_timeout=0.1) as hangs:
                while not isinstance(hangs.recv(100), bytes):
                    pass
                time.sleep(1)
                regard.send_signal(signal.SIGINT)
                said, _ = regard.communicate(timeout=60)
            assert regard.returncode == 0
        sender.kill()
    assert "in all" in said
    assert len(Video(tmp_path / "out" / "film.mp4").times_s) > 1
    assert len(open_prediction(tmp_path / "out" / "centre-prior.parquet")) > 1
    assert not list(tmp_path.rglob("*part-*"))
