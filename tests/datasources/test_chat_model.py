"""The `chat_model` datasource, declared in files and used by a handler of a real service."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from gsws.ai.budget import Budget, BudgetExceeded, UnpricedModel
from gsws.ai.models import UnknownModel
from gsws.datasources.chat_model import plugin
from gsws.plugins.registry import facts
from gsws.project import load_project
from gsws.testing.gemini import FakeGemini
from gsws.yaml.reading import parse_yaml
from tests.runtime.support import served, write

EVENTS = "websocket.ask: {fn: ask}\n"
HANDLER = """
    async def ask(datasources, payload):
        async for chunk in datasources.model.astream(payload["message"]):
            if chunk.text:
                yield chunk.text
    """


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def create(base: Path, environ: Mapping[str, str] = os.environ, **config: Any) -> Any:
    """What the plugin makes of a file, the file's checks aside."""
    context = SimpleNamespace(base=base, logger=structlog.get_logger(), environ=environ)
    return plugin.create({**plugin.default_config, **config}, context)  # type: ignore[arg-type]


def findings(folder: Path, text: str) -> list[tuple[str, str]]:
    """The errors of a project with this ``datasources/model.yaml``."""
    write(folder, "datasources/model.yaml", text)
    write(folder, "eventsources/websocket.yaml", "type: websocket\nport: 0\n")
    write(folder, "events/all.yaml", EVENTS)
    write(folder, "functions/ask.py", HANDLER)
    project = load_project(folder.resolve(), plugins=facts(), environ={})
    return [(finding.code, finding.message) for finding in project.findings if finding.severity.value == "error"]


def test_importing_the_plugin_imports_no_agent_library() -> None:
    """A project without agents pays nothing for the plugin."""
    code = (
        "import sys; import gsws.datasources.chat_model; "
        "print([name for name in sys.modules if name.startswith(('langchain', 'langgraph', 'google', 'gsws.ai'))])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"


def test_without_a_key_it_is_the_offline_model_and_says_so(tmp_path: Path) -> None:
    """The log names what to set."""
    with structlog.testing.capture_logs() as logs:
        model = create(tmp_path)

    assert model.offline
    assert [entry["event"] for entry in logs] == [
        "no language model is configured: answers are quotations; set GOOGLE_API_KEY"
    ]
    assert model.budget is None


def test_a_handler_streams_from_the_configured_model(tmp_path: Path) -> None:
    """From the YAML to the provider and back; the client is closed with the service."""
    with FakeGemini("one two three") as gemini:
        files = {
            "datasources/model.yaml": (
                "type: chat_model\nmodel: google_genai:gemini-flash-latest\napi_key: fake-key\n"
                f"base_url: {gemini.url}\noptions: {{max_output_tokens: 99}}\n"
            ),
            "events/all.yaml": EVENTS,
            "functions/ask.py": HANDLER,
        }
        with served(tmp_path, files) as running:
            with running.client() as client:
                client.send("websocket.ask", {"message": "hello"}, id="1")
                frames = client.answer("1")
            model = running.service.datasources["model"]
            assert model.specs == ("google_genai:gemini-flash-latest",)
        assert gemini.requests[0].config("maxOutputTokens") == 99

    text = "".join(frame["payload"]["message"] for frame in frames if frame["eventtype"] == "stream.chunk")
    assert text == "one two three"


def test_a_model_that_cannot_be_made_is_a_finding_before_the_port_opens(tmp_path: Path) -> None:
    """GS215 with what to write."""
    from gsws.runtime.service import Service

    assert findings(tmp_path, "type: chat_model\nmodel: gogle:gemini-flash-latest\n") == []

    async def main() -> list[tuple[str, str]]:
        service = Service(load_project(tmp_path.resolve(), plugins=facts(), environ={}))
        found = await service.load()
        await service.stop()
        return [(finding.code, finding.message) for finding in found]

    [(code, message)] = asyncio.run(asyncio.wait_for(main(), 20))

    assert code == "GS215"
    assert "UnknownModel: unknown model provider `gogle`" in message
    assert "did you mean `google_genai`?" in message


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("modle: auto", "`modle`"),
        ("retries: -1", "-1"),
        ("temperature: 3", "3"),
        ("budget: {turn_token: 5}", "`turn_token`"),
        ("budget: {day_cost: free}", "free"),
        ("prices: {mine: {input: 1}}", "output"),
        ("fallbacks: gpt-6-sol", "fallbacks"),
    ],
)
def test_a_wrong_key_is_found_by_validate(tmp_path: Path, line: str, told: str) -> None:
    """Without building anything."""
    found = findings(tmp_path, f"type: chat_model\n{line}\n")

    assert len(found) == 1
    assert told in found[0][1]


def test_the_budget_beside_the_model_is_the_model_s(tmp_path: Path) -> None:
    """Its file is made in the project's folder, its models are the model's."""
    model = create(
        tmp_path,
        model="google_genai:gemini-flash-latest",
        api_key="k",
        budget={"day_tokens": 100, "day_cost": 1.0, "path": "data/budget.sqlite"},
    )

    async def work() -> None:
        assert isinstance(model.budget, Budget)
        async with model.budget.turn("ann") as meter:
            meter.usage({"input_tokens": 1, "output_tokens": 2}, "offline")
            assert meter.total["cost"] == {"amount": 0.0, "currency": "USD"}
        await model.aclose()

    asyncio.run(asyncio.wait_for(work(), 10))
    assert (tmp_path / "data" / "budget.sqlite").is_file()


def test_quotations_use_up_nobody_s_day(tmp_path: Path) -> None:
    """Without a language model a turn is limited as declared, and a day is not."""
    model = create(tmp_path, model="offline", budget={"turn_tokens": 50, "day_tokens": 60, "day_cost": 1.0})

    async def work() -> None:
        assert isinstance(model.budget, Budget)
        for _ in range(5):
            async with model.budget.turn("ann") as meter:
                meter.usage({"input_tokens": 20, "output_tokens": 20}, "offline")
        with pytest.raises(BudgetExceeded):
            async with model.budget.turn("ann") as meter:
                meter.usage({"input_tokens": 60, "output_tokens": 20}, "offline")
        await model.aclose()

    asyncio.run(asyncio.wait_for(work(), 10))


def test_money_without_a_price_is_an_error_at_start(tmp_path: Path) -> None:
    """For a fallback as for the first model; a price in the file mends it."""
    config: dict[str, Any] = {
        "model": "google_genai:gemini-flash-latest",
        "api_key": "k",
        "fallbacks": ["google_genai:gemini-99-flash"],
        "budget": {"day_cost": 1.0},
    }
    with pytest.raises(UnpricedModel, match="`google_genai:gemini-99-flash`"):
        create(tmp_path, **config)

    model = create(tmp_path, **config, prices={"gemini-99-flash": {"input": 1, "output": 2}})
    asyncio.run(model.aclose())


def test_a_name_without_a_provider_is_told_what_to_write(tmp_path: Path) -> None:
    """The plugin adds nothing to the message and takes nothing from it."""
    with pytest.raises(UnknownModel, match="did you mean `google_genai:gemini-flash-latest`"):
        create(tmp_path, model="gemini-flash-latest")


def test_the_file_that_the_command_writes_is_valid(tmp_path: Path) -> None:
    """Its keys are the schema's and its values the defaults."""
    config = parse_yaml("model.yaml", plugin.config_text.encode()).data

    assert findings(tmp_path, plugin.config_text) == []
    assert config == {"type": "chat_model", **plugin.default_config}


def test_a_key_in_the_project_s_dotenv_is_used(tmp_path: Path) -> None:
    """`.env` is not the process's environment, and the key is looked for in both."""
    write(tmp_path, ".env", "GOOGLE_API_KEY=from-dotenv\n")
    assert findings(tmp_path, plugin.config_text) == []

    project = load_project(tmp_path.resolve(), plugins=facts(), environ={})
    config = {key: value for key, value in project.datasources["model"].config.items() if key != "type"}
    model = create(tmp_path, project.environ, **config)

    assert model.specs == ("google_genai:gemini-flash-latest",)
    assert model.candidates[0].model.google_api_key.get_secret_value() == "from-dotenv"
    asyncio.run(model.aclose())
