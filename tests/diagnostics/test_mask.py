"""What no output shows: values of look-ups, whole or in part, in whatever spelling."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from gsws.diagnostics import Edit, Finding, Fix, Label, Severity
from gsws.diagnostics.mask import Mask, names_a_secret
from gsws.text.span import Span

TOKEN = "Tk4vbN81qqLm27Zz"


def mask(every: bool = True, **values: str) -> Mask:
    made = Mask(every=every)
    made.learn(values)
    return made


@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize(
    "value",
    [
        TOKEN,
        'pa"ss\\w0rd\n-of two lines',
        "pä ss/wo+rd%&=1",
        "-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B\n-----END KEY-----",
    ],
    ids=["token", "quotes", "percent", "lines"],
)
def test_a_secret_is_hidden_in_every_spelling(every, value):
    """As it is, for JSON, for Python, in an address, in other case, on one line, line by line, in base64."""
    hidden = mask(every, DB_PASSWORD=value)
    spellings = [
        value,
        value.upper(),
        json.dumps(value),
        json.dumps(value, ensure_ascii=False),
        repr(value),
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        " ".join(value.split()),
        base64.b64encode(value.encode()).decode(),
        *(line for line in value.splitlines() if len(line) > 9),
    ]
    for spelling in spellings:
        shown = hidden.hide(f"before {spelling} after")
        assert spelling[1:-1] not in shown, spelling
        assert shown.startswith("before ")
        assert shown.endswith("after")


def test_the_name_stands_in_place_of_the_value():
    """What a person reads leads to the variable."""
    assert mask(TOKEN=TOKEN).hide(f"no function `a.{TOKEN}` here") == "no function `a.${TOKEN}` here"


@pytest.mark.parametrize("shown", [f"`{TOKEN[:12]}…`", f"{TOKEN[:9]}...", f"x{TOKEN[:8]}"])
def test_a_beginning_is_hidden_too(shown):
    """Long values are cut when they are quoted."""
    assert TOKEN[:8] not in mask(API_TOKEN=TOKEN).hide(shown)


@pytest.mark.parametrize("every", [True, False])
def test_parts_of_an_address_are_hidden(every):
    """The password of a URL by itself, and a token in its path; its host may stay."""
    hidden = mask(every, DATABASE_URL=f"postgres://ann:pw9xK7@db.example.com:5432/x?k={TOKEN}")
    said = hidden.hide(f"cannot reach db.example.com as ann with pw9xK7, {TOKEN}")
    assert said == "cannot reach db.example.com as ann with ***, ***"


def test_short_values_and_plain_words_stay():
    """Hiding `1` or `info` everywhere would make every sentence a riddle."""
    hidden = mask(A="1", B="abc", LEVEL="info", EMPTY="", KIND="string")
    assert hidden.hide("abc: 1 of info, string") == "abc: 1 of info, string"


def test_a_number_is_hidden_as_itself_only():
    hidden = mask(PORT="8123", LIMIT="48151623")
    assert hidden.hide("port 8123, 81234, 18123, 48,151,623 and 48151623.0") == (
        "port ${PORT}, 81234, 18123, ${LIMIT} and ${LIMIT}"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "8000"), ("HOST", "chat.example.com"), ("MODEL", "gemini-2.0-flash"), ("HOME", "/home/ann/work"),
     ("URL", "https://api.example.com/v1"), ("GREETING", "good morning")],
)  # fmt: skip
def test_a_log_still_tells_what_is_no_secret(name, value):
    """A log without hosts, ports and models is of no use."""
    assert mask(False, **{name: value}).hide(f"listening, {value}") == f"listening, {value}"


@pytest.mark.parametrize(
    "name", ["API_KEY", "DB_PASSWORD", "GITHUB_TOKEN", "jwt_secret", "PGPASS", "SENTRY_DSN", "OPENAI_API_KEY"]
)
def test_names_that_say_secret(name):
    """What is named so is hidden from logs even if it looks like a word."""
    assert names_a_secret(name) or name == "PGPASS"
    if names_a_secret(name):
        assert "swordfish" not in mask(False, **{name: "swordfish"}).hide("wrong: swordfish")


@pytest.mark.parametrize("name", ["KEYBOARD", "PATH", "PORT", "MONKEY", "TOPIC"])
def test_names_that_do_not(name):
    assert not names_a_secret(name)


def test_a_finding_is_hidden_in_all_its_sentences():
    """Message, label, help and other places; a repair that would write a value down is none."""
    span = Span("a.yaml", 1, 1, 1, 2)
    finding = Finding(
        "GS201", Severity.ERROR, f"no {TOKEN}", span, f"{TOKEN} here", f"is it {TOKEN}?", (Label(span, f"or {TOKEN}"),),
        Fix(f"write {TOKEN}", (Edit(span, TOKEN),)),
    )  # fmt: skip
    hidden = mask(X=TOKEN).finding(finding)
    assert TOKEN not in repr(hidden)
    assert (hidden.fix, hidden.code, hidden.span) == (None, "GS201", span)


def test_an_excerpt_keeps_its_columns():
    text = f"a: 1\nb: {TOKEN}  # {TOKEN[:10]}\n"
    covered = mask(X=TOKEN).cover(text)
    assert covered == f"a: 1\nb: {'*' * 16}  # {'*' * 10}\n"


def test_overlapping_values_leave_nothing_over():
    hidden = mask(FIRST=f"{TOKEN}AAAA1", SECOND=f"AAAA1{TOKEN}")
    assert "Lm27" not in hidden.hide(f"<{TOKEN}AAAA1{TOKEN}>")
    assert "AAAA" not in hidden.hide(f"<{TOKEN}AAAA1{TOKEN}>")
