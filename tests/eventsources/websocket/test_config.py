"""The typed form of a websocket source's config."""

from __future__ import annotations

import pytest

from gsws.eventsources.websocket.config import parse
from gsws.eventsources.websocket.schema import CONFIG_SCHEMA, DEFAULTS
from gsws.plugins.listening import (
    ApiKeysConfig,
    HeartbeatConfig,
    JWTConfig,
    LimitsConfig,
    ListenConfig,
    RateLimit,
    TLSConfig,
)
from gsws.project.shapes.kinds import understood


def test_defaults_are_the_typed_defaults():
    """What the file leaves out, the mapping of defaults and the dataclass say the same about."""
    assert parse({}) == parse(DEFAULTS) == ListenConfig()


def test_everything_typed():
    config = parse(
        {
            "type": "websocket",
            "host": "0.0.0.0",
            "port": 9000,
            "path": "/ws",
            "origins": ["https://a.example"],
            "authn": {
                "jwt": {"secret": "s", "issuer": "i", "audience": "a", "leeway": "5s"},
                "api_keys": {"file": "keys.yaml"},
                "fn": "auth.check",
                "anonymous": True,
                "cookie": "sid",
                "query": "token",
            },
            "limits": {"message_bytes": "64KiB", "rate": {"messages": 5, "per": "1m"}, "handshake_timeout": "500ms"},
            "heartbeat": {"interval": 0, "timeout": 3},
            "compression": True,
            "tls": {"cert": "c.pem", "key": "k.pem"},
        }
    )

    assert (config.host, config.port, config.path, config.origins) == ("0.0.0.0", 9000, "/ws", ("https://a.example",))
    assert config.authn.jwt == JWTConfig("s", None, ("HS256",), "i", ("a",), 5.0)
    assert config.authn.api_keys == ApiKeysConfig("keys.yaml")
    assert (config.authn.fn, config.authn.anonymous, config.authn.cookie, config.authn.query) == (
        "auth.check",
        True,
        "sid",
        "token",
    )
    assert config.limits == LimitsConfig(message_bytes=65536, rate=RateLimit(5, 60.0, 5), handshake_timeout=0.5)
    assert config.heartbeat == HeartbeatConfig(0.0, 3.0)
    assert config.tls == TLSConfig("c.pem", "k.pem")
    assert config.compression


def test_a_secret_is_not_shown():
    assert "hunter2" not in repr(parse({"authn": {"jwt": {"secret": "hunter2"}}}))


@pytest.mark.parametrize(
    "config", [{"limits": 5}, {"heartbeat": {"interval": "soon"}}, {"limits": {"send_buffer": "x"}}, {"tls": {}}]
)
def test_an_unchecked_config_is_refused(config):
    with pytest.raises(ValueError):
        parse(config)


def test_the_schema_is_all_shapes():
    """So that no file with a websocket source needs the schema engine for its own check."""
    assert understood(CONFIG_SCHEMA)


def test_every_default_has_a_key_in_the_schema():
    def check(defaults, schema):
        for key, value in defaults.items():
            assert key in schema["properties"]
            if isinstance(value, dict):
                check(value, schema["properties"][key])

    check(DEFAULTS, CONFIG_SCHEMA)
