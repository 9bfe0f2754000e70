"""Logs: for people or programs, and never the cause of a failure."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from gsws.observability.logging import configure_logging


@pytest.fixture(autouse=True)
def restored():
    before = structlog.get_config()
    root = logging.getLogger("gsws")
    handlers, level, propagate = root.handlers[:], root.level, root.propagate
    yield
    structlog.configure(**before)
    root.handlers[:], root.level, root.propagate = handlers, level, propagate


def test_json_lines_are_objects():
    stream = io.StringIO()
    configure_logging(format="json", stream=stream)
    try:
        raise ValueError("no")
    except ValueError:
        structlog.get_logger("gsws").error("failed", id=10**30, exc_info=True)

    entry = json.loads(stream.getvalue())
    assert (entry["event"], entry["level"]) == ("failed", "error")
    assert "ValueError: no" in entry["exception"]


def test_console_lines_have_no_colour_on_a_pipe():
    stream = io.StringIO()
    configure_logging(stream=stream)
    structlog.get_logger("gsws").info("hello", path="x")

    assert "hello" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_levels_filter_and_the_transport_s_records_arrive():
    stream = io.StringIO()
    configure_logging(level="warning", stream=stream)
    structlog.get_logger("gsws").info("quiet")
    logging.getLogger("gsws.transport").warning("from the transport")

    assert "quiet" not in stream.getvalue()
    assert "from the transport" in stream.getvalue()


class Broken(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")

    def flush(self):
        raise BrokenPipeError


@pytest.mark.parametrize("format", ["json", "console"])
def test_a_stream_that_cannot_be_written_breaks_nobody(format):
    configure_logging(format=format, stream=Broken())
    structlog.get_logger("gsws").error("lost", user="\ud800")


def test_a_sink_that_fails_never_reaches_the_code_that_logs(capsys):
    """A program may set structlog up anew, or badly: the transport's records go there, or are reported, no more."""
    configure_logging(stream=io.StringIO())
    entries = []

    def keep(logger, method, event):
        entries.append((method, event["event"]))
        raise structlog.DropEvent

    structlog.configure(processors=[keep], wrapper_class=structlog.BoundLogger)
    logging.getLogger("gsws.transport").info("from %s", "afar")
    assert entries == [("info", "from afar")]

    def fail(logger, method, event):
        raise RuntimeError("no sink")

    structlog.configure(processors=[fail])
    logging.getLogger("gsws.transport").info("lost")
    assert "no sink" in capsys.readouterr().err
