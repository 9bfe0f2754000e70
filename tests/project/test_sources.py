"""Source files against the facts of their plugins."""

from __future__ import annotations

import pytest

from gsws.project import PluginFacts


def codes(tree, text, name="websocket"):
    return tree.codes({f"eventsources/{name}.yaml": text})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type: websocket\nport: 0\n", []),
        ("type: websocket\nport: 65535\n", []),
        ("type: websocket\nport: ${PORT:-8000}\n", []),
        ("type: websocket\norigins: ['https://a.example', 'http://localhost:5173', 'chrome-extension://abc']\n", []),
        ("type: websocket\nlimits: {message_bytes: 64KiB, rate: {messages: 5}}\nheartbeat: {interval: 0}\n", []),
        ("type: websocket\nport: null\nlimits: null\n", []),
        ("type: websocket\nx-note: mine\n", []),
        ("type: websocket\nprot: 1\n", ["GS305"]),
        ("type: websocket\nlimits: {in_fligt: 1}\n", ["GS305"]),
        ("type: websocket\nlimits: {rate: {mesages: 1}}\n", ["GS305"]),
        ("type: websocket\nheartbeat: {intervall: 1s}\n", ["GS305"]),
        ("type: websocket\nauthn: {jwt: {secret: '${JWT_SECRET}', leway: 1s}}\n", ["GS305"]),
        ("type: websocket\ntls: {cert: a, key: b, ca: c}\n", ["GS604", "GS604", "GS305"]),
        ("type: websocket\nport: eight\n", ["GS306"]),
        ("type: websocket\nport: true\n", ["GS306"]),
        ("type: websocket\nport: 80.5\n", ["GS306"]),
        ("type: websocket\nport: 70000\n", ["GS602"]),
        ("type: websocket\nport: -1\n", ["GS602"]),
        ("type: websocket\nport: ${PORT:-70000}\n", ["GS602"]),
        ("type: websocket\nport: ${PORT:-x}\n", ["GS506"]),
        ("type: websocket\nport: ${NO}\n", ["GS501"]),
        ("type: websocket\npath: chat\n", ["GS307"]),
        ("type: websocket\nhost: ''\n", ["GS307", "GS603"]),
        ("type: websocket\norigins: '*'\n", ["GS306"]),
        ("type: websocket\norigins: ['example.com']\n", ["GS307"]),
        ("type: websocket\norigins: ['https://example.com/']\n", ["GS307"]),
        ("type: websocket\norigins: ['null']\n", ["GS307"]),
        ("type: websocket\nlimits: {message_bytes: -1}\n", ["GS307"]),
        ("type: websocket\nlimits: {message_bytes: lots}\n", ["GS306"]),
        ("type: websocket\nlimits: {json_depth: 0}\n", ["GS307"]),
        ("type: websocket\nlimits: {json_depth: 100000}\n", ["GS307"]),
        ("type: websocket\nheartbeat: {timeout: 0}\n", ["GS307"]),
        ("type: websocket\nheartbeat: 20s\n", ["GS306"]),
        ("type: websocket\ncompression: maybe\n", ["GS306"]),
        ("type: websocket\nauthz: nowhere\n", ["GS201"]),
        ("type: websocket\nauthz: true\n", ["GS307"]),
        ("type: websocket\non_request_validation_error: nowhere\n", ["GS201"]),
        ("type: websocket\nauthn: {fn: nowhere}\n", ["GS201"]),
        ("type: websocket\non_connect: chat\non_disconnect: chat\nsubprotocols: [chat.v2]\n", []),
        ("type: websocket\non_connect: nowhere\n", ["GS201"]),
        ("type: websocket\non_disconnect: nowhere\n", ["GS201"]),
        ("type: websocket\non_conect: chat\n", ["GS305"]),
        ("type: websocket\non_connect: [chat]\n", ["GS306"]),
        ("type: websocket\non_connect: ''\n", ["GS307"]),
        ("type: websocket\nsubprotocols: chat.v2\n", ["GS306"]),
        ("type: websocket\nsubprotocols: []\n", ["GS307"]),
        ("type: websocket\nsubprotocols: [a b]\n", ["GS307"]),
        ("type: websocket\nsubprotocols: [1]\n", ["GS306"]),
        ("{}\n", ["GS304"]),
        ("port: 1\n", ["GS304"]),
        ("tpye: websocket\n", ["GS305"]),
        ("", ["GS304"]),
        ("[]\n", ["GS306"]),
        ("type: [a]\n", ["GS306"]),
        ("type: websockt\n", ["GS601"]),
        ("type: Websocket\n", ["GS601"]),
        ("type: frobnicator\n", ["GS601"]),
        ("type: kafka\n", ["GS701"]),
        ("type: cron\n", ["GS701"]),
    ],
)
def test_a_websocket_source(tree, text, expected):
    tree.environ = {"JWT_SECRET": "0123456789abcdef0123456789abcdef"}
    assert codes(tree, text) == expected


def test_a_typing_error_in_the_type_suggests(tree):
    project = tree.load({"eventsources/websocket.yaml": "type: websockt\n"})

    assert [(one.help, one.fix.edits[0].replacement) for one in project.findings] == [
        ("did you mean `websocket`?", "websocket")
    ]


def test_the_config_is_the_file_over_the_defaults(tree):
    project = tree.load(
        {"eventsources/websocket.yaml": "type: websocket\nlimits: {in_flight: 4, rate: {messages: 5}}\n"}
    )
    source = project.sources["websocket"]

    assert source.config["limits"]["in_flight"] == 4
    assert source.config["limits"]["rate"] == {"messages": 5, "per": "1s", "burst": 0, "by": "connection"}
    assert source.config["limits"]["connections"] == 10000
    assert source.written == {"type": "websocket", "limits": {"in_flight": 4, "rate": {"messages": 5}}}


def test_text_that_looks_like_a_number_stays_text_where_text_is_meant(tree):
    """A secret of digits, or with leading zeros, is the secret that was written."""
    tree.environ = {"JWT_SECRET": "0" * 29 + "123", "PORT": "8123"}
    project = tree.load(
        {"eventsources/websocket.yaml": 'type: websocket\nauthn: {jwt: {secret: "${JWT_SECRET}"}}\nport: "${PORT}"\n'}
    )

    assert project.findings == ()
    assert project.sources["websocket"].config["authn"]["jwt"]["secret"] == "0" * 29 + "123"
    assert project.sources["websocket"].config["port"] == 8123


@pytest.mark.parametrize("name", ["my.ws", "a b", "ws&", "ünï"])
def test_the_files_name_must_be_able_to_begin_a_key(tree, name):
    assert codes(tree, "type: websocket\nport: 0\n", name) == ["GS307"]


def test_two_files_of_one_name(tree):
    assert "GS301" in tree.codes({"eventsources/websocket.yml": "type: websocket\n"})


def test_a_plugin_that_cannot_be_used_is_named(tree):
    for code in ("GS701", "GS702", "GS703"):
        tree.plugins["ticker"] = PluginFacts("ticker", error="the plugin `ticker` is broken", error_code=code)
        (finding,) = tree.load({"eventsources/ticker.yaml": "type: ticker\n"}).findings
        assert (finding.code, finding.message) == (code, "the plugin `ticker` is broken")


def test_a_datasource_plugin_is_no_event_source(tree):
    tree.plugins["pool"] = PluginFacts("pool", "datasource")

    assert codes(tree, "type: pool\n", "pool") == ["GS601"]


def test_a_plugins_schema_may_use_all_of_json_schema(tree):
    """Keywords that shapes do not know are checked by the engine."""
    schema = {"type": "object", "properties": {"every": {"type": "integer", "multipleOf": 5}}, "minProperties": 2}
    tree.plugins["ticker"] = PluginFacts("ticker", schema=schema, defaults={"every": 5}, origin="gsws-plugin-ticker")

    assert codes(tree, "type: ticker\nevery: 10\n", "ticker") == []
    assert codes(tree, "type: ticker\nevery: 11\n", "ticker") == ["GS307"]
    assert codes(tree, "type: ticker\n", "ticker") == ["GS307"]


def test_datasources_are_made_by_a_plugin_or_a_function(tree):
    tree.plugins["pool"] = PluginFacts("pool", "datasource", defaults={"size": 3})
    project = tree.load(
        {
            "datasources/db.yaml": "type: pool\n",
            "datasources/index.yaml": "fn: make_index\npath: x\n",
            "functions/make_index.py": "async def make_index(config): ...\n",
        }
    )

    assert project.findings == ()
    assert project.datasources["db"].config == {"size": 3, "type": "pool"}
    assert project.datasources["index"].handler.callable == "make_index"
    assert project.datasources["index"].config["path"] == "x"
    assert tree.codes({"datasources/db.yaml": "type: websocket\n"}) == ["GS601"]
    assert tree.codes({"datasources/db.yaml": "fn: nowhere\n"}) == ["GS201"]
