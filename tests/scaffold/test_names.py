"""Names are taken, normalised or refused before anything is written."""

from __future__ import annotations

import pytest

from gsws.scaffold.names import (
    NameRefused,
    check_directory_name,
    check_event_name,
    check_function_name,
    check_source_name,
    function_name_for,
    project_name,
)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("my-app", "my-app"),
        ("My Chat!", "my-chat"),
        ("it's", "it-s"),
        ("Größe", "groe"),
        ("日本", "app"),
        ("...", "app"),
        ("a" * 300, "a" * 100),
        ("{{name}}", "name"),
        ("${HOME}", "home"),
    ],
)
def test_project_name_is_normalised(given, made):
    """A package index takes whatever `project_name` gives."""
    assert project_name(given) == made


@pytest.mark.parametrize("name", ["my-app", "my app", "it's", "Chat_2", "日本", "class", "a.b", ".hidden", "a" * 100])
def test_directory_names_that_do_no_harm_are_taken(name):
    check_directory_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "..", "-rf", "--template", "a\nb", "a\x00b", "a\x1b[31m", "a\u202eb", "a\ud800", 'a"b', "a|b", "a:b", "a*",
        "a\\b", " a", "a ", "a.", "con", "NUL", "com1.txt", "LPT9", "a" * 255, "$HOME", "a`id`",
    ],
)  # fmt: skip
def test_directory_names_that_do_harm_are_refused(name):
    with pytest.raises(NameRefused):
        check_directory_name(name)


@pytest.mark.parametrize("name", ["hello", "a.b.c", "greet_user", "Greet2"])
def test_function_names_taken(name):
    check_function_name(name)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("class", "on_class"),
        ("a.import", "a.on_import"),
        ("my-fn", "my_fn"),
        ("a b", "a_b"),
        ("../x", None),
        ("/etc/passwd", "etc_passwd"),
        ("_private", "private"),
        ("1st", None),
        ("a..b", None),
        ("", None),
        ("x" * 300, None),
    ],
)
def test_function_names_refused_with_a_better_one(name, instead):
    with pytest.raises(NameRefused) as refused:
        check_function_name(name)
    assert refused.value.help == (f"try `{instead}`" if instead else None)
    if instead:
        check_function_name(instead)


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a b", "a/b", "a\nb", "-x", "a" * 200, "ünd", "a..b", "$x"])
def test_event_names_refused(name):
    with pytest.raises(NameRefused):
        check_event_name(name)


@pytest.mark.parametrize("event", ["hello", "room-1.joined", "class", "json", "os.path", "a-b"])
def test_function_for_any_event_name_is_usable(event):
    check_event_name(event)
    check_function_name(function_name_for(event))


@pytest.mark.parametrize(
    "name", ["", "a/b", "../a", "a b", "-x", "gsws", "stream", "Stream", "nul", "a" * 65, "a.b", "1a"]
)
def test_source_names_refused(name):
    with pytest.raises(NameRefused):
        check_source_name(name)
