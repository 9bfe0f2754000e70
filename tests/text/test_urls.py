"""A URL that is shown holds nothing that lets somebody in."""

from __future__ import annotations

import pytest

from gsws.text.urls import covered, without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://svc:pw@host/a?token=x&b=1", "https://***@host/a?token=***&b=1"),
        ("redis://:pw@host:6379/0", "redis://***@host:6379/0"),
        ("nats://u:p@ss@host", "nats://***@host"),
        ("at postgres://a:b@c/d and ws://e:f@g.", "at postgres://***@c/d and ws://***@g."),
        ("ws://h/?clientId=a&access_token=zz#x", "ws://h/?clientId=a&access_token=***#x"),
        ("GET /?API_KEY=1 and /?sig=2", "GET /?API_KEY=*** and /?sig=***"),
        ("http://h/a@b?c=d", "http://h/a@b?c=d"),
        ("ann@example.com, a=b, 1 < 2 & 3", "ann@example.com, a=b, 1 < 2 & 3"),
        ("", ""),
    ],
)
def test_what_is_hidden_and_what_stays(text, shown):
    assert without_secrets(text) == shown


def test_a_long_text_takes_no_time_that_grows_with_its_square():
    assert without_secrets("http://" + "a" * 10**6 + "?" * 10**5).startswith("http://a")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a: https://svc:pw@host/k?token=xyz&b=1  # c", "a: https://******@host/k?token=***&b=1  # c"),
        ("a: https://h/?token=${TOKEN}", "a: https://h/?token=${TOKEN}"),
        ("a: https://u:${PW}@h/?key=a${KEY}b", "a: https://**${PW}@h/?key=*${KEY}*"),
        ("lambda a, key=1: a & key", "lambda a, key=1: a & key"),
    ],
)
def test_a_covered_text_is_as_long_as_before(text, shown):
    """Carets under an excerpt stay where they belong, and a look-up is no secret."""
    assert covered(text) == shown
    assert len(shown) == len(text)
