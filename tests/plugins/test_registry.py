"""Plugins are found by name, imported one by one, and kept apart from each other's faults."""

from __future__ import annotations

import sys

import pytest

from gsws.__about__ import __version__
from gsws.plugins.registry import Registry, canonical_name, facts
from tests.cli.support import install_plugin, plugin_module

GOOD = plugin_module("fine")


@pytest.fixture
def site(tmp_path, monkeypatch):
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith(("gsws_plugin", "other", "rival")):
            del sys.modules[name]


def test_built_in_websocket_meets_the_contract():
    plugin = Registry()["websocket"]
    assert plugin.error is None
    assert plugin.built_in
    assert (plugin.type, plugin.source_type, plugin.origin) == ("websocket", "eventsource", "built in")
    assert plugin.config_text is not None
    assert "type: websocket" in plugin.config_text


def test_names_cost_no_import(site):
    install_plugin(site, "loud", "raise RuntimeError('imported')\n")
    plugins = Registry()
    assert set(plugins) == {"websocket", "chat_model", "documents", "threads", "loud"}
    assert "loud" in plugins
    assert len(facts(plugins)) == 5
    assert "gsws_plugin_loud" not in sys.modules


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("raise RuntimeError('no luck\\nat all')", "RuntimeError: no luck at all"),
        ("raise SystemExit(7)", "SystemExit: 7"),
        ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
        ("def plugin(:", "SyntaxError"),
        ("other = 1", "has no attribute 'plugin'"),
        ("plugin = object()", "lacks `type`, `source_type`"),
        (GOOD.replace('type = "fine"', 'type = "else"'), "has the type 'else'"),
        (GOOD.replace('source_type = "eventsource"', 'source_type = "thing"'), "has the source_type 'thing'"),
        (GOOD.replace('config_file_name = "fine"', 'config_file_name = "../x"'), "has the config_file_name '../x'"),
        (GOOD.replace('default_config = {"every": "1s"}', "default_config = 3"), "`default_config` that is no mapping"),
        (GOOD.replace("def create(self, config, context): return Source()", "create = 3"), "cannot be called"),
        (GOOD.replace('type = "fine"', 'requires_gsws = "yes"; type = "fine"'), "no valid version requirement"),
        (GOOD.replace('type = "fine"', "type = property(lambda self: 1 / 0)"), "ZeroDivisionError"),
    ],
)
def test_a_broken_plugin_is_named_and_disturbs_nobody(site, module, says):
    install_plugin(site, "fine", module + "\n")
    plugins = Registry()
    broken = plugins["fine"]
    assert broken.plugin is None
    assert says in broken.error
    assert "`fine` (gsws-plugin-fine 0.3.0)" in broken.error
    assert "\n" not in broken.error
    assert plugins["websocket"].error is None
    assert facts(plugins)["fine"].error == broken.error


def test_version_requirement(site):
    install_plugin(site, "fine", GOOD.replace('type = "fine"', 'requires_gsws = ">=99"; type = "fine"'))
    plugin = Registry()["fine"]
    assert plugin.error == f"the plugin `fine` (gsws-plugin-fine 0.3.0) needs gsws >=99, this is {__version__}"
    assert facts(Registry())["fine"].error_code == "GS702"


def test_two_packages_for_one_type(site):
    install_plugin(site, "fine", GOOD)
    install_plugin(site, "fine", GOOD, distribution="rival-package", version="1.0")
    plugin = Registry()["fine"]
    assert plugin.error == "two plugins give the type `fine`: `gsws-plugin-fine 0.3.0` and `rival-package 1.0`"
    assert facts(Registry())["fine"].error_code == "GS703"


def test_nobody_replaces_the_built_in_silently(site):
    install_plugin(site, "websocket", plugin_module("websocket"), distribution="rival-package")
    plugin = Registry()["websocket"]
    assert "two plugins give the type `websocket`" in plugin.error


def test_one_package_seen_twice_is_no_rival(site, tmp_path, monkeypatch):
    install_plugin(site, "fine", GOOD)
    install_plugin(tmp_path / "second", "fine", GOOD)
    monkeypatch.syspath_prepend(tmp_path / "second")
    assert Registry()["fine"].error is None


def test_classes_and_modules_are_plugins_too(site):
    install_plugin(site, "fine", GOOD.replace("plugin = Plugin()", "plugin = Plugin"))
    module = "type='es'\nsource_type='ES'\nconfig_file_name='es'\ndefault_config={}\nconfig_schema={}\n"
    install_plugin(
        site, "es", module + "def create(config, context): pass\nimport sys\nplugin = sys.modules[__name__]\n"
    )
    plugins = Registry()
    assert plugins["fine"].error is None
    assert (plugins["es"].error, plugins["es"].source_type) == (None, "eventsource")


def test_what_a_plugin_prints_is_no_result(site, capsys):
    install_plugin(site, "fine", "print('hello from a plugin')\n" + GOOD)
    assert Registry()["fine"].error is None
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "hello from a plugin" in captured.err


def test_refresh_finds_what_was_installed_meanwhile(site):
    plugins = Registry()
    assert "fine" not in plugins
    install_plugin(site, "fine", GOOD)
    plugins.refresh()
    assert plugins["fine"].error is None


def test_facts_carry_schema_and_defaults(site):
    install_plugin(site, "fine", GOOD)
    known = facts(Registry())["fine"]
    assert known.defaults == {"every": "1s"}
    assert known.schema["properties"]["type"] == {"const": "fine"}
    assert (known.origin, known.source_type, known.error) == ("gsws-plugin-fine 0.3.0", "eventsource", None)


def test_canonical_name():
    assert canonical_name("Gsws_Plugin.Ticker") == "gsws-plugin-ticker"
