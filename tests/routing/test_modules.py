"""Modules in revisions: what changed and what depends on it is imported anew, or nothing is."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest

from gsws.routing.modules import ModuleSet


@pytest.fixture
def base(tmp_path):
    (tmp_path / "functions/deep").mkdir(parents=True)
    (tmp_path / "helper").mkdir()
    return tmp_path


@pytest.fixture
def modules(base):
    modules = ModuleSet(base)
    modules.open()
    yield modules
    modules.close()


def write(path, text):
    path.write_text(text)
    return path


def test_handlers_and_helpers_are_importable(base, modules):
    write(base / "helper/names.py", "NAME = 'Bo'\n")
    write(base / "functions/deep/greet.py", "from helper.names import NAME\ndef greet(): return NAME\n")

    assert modules.load("deep.greet").greet() == "Bo"


def test_an_edit_within_the_same_second_and_of_the_same_length_is_seen(base, modules):
    path = write(base / "functions/a.py", "X = 1\n")
    assert modules.load("a").X == 1

    for number in range(2, 8):
        write(path, f"X = {number}\n")
        with modules.revision([path]):
            assert modules.load("a").X == number


def test_what_imports_a_changed_helper_is_imported_anew_and_nothing_else(base, modules):
    helper = write(base / "helper/names.py", "NAME = 1\n")
    write(base / "helper/between.py", "from . import names\n")
    write(base / "functions/a.py", "from helper import between\ndef name(): return between.names.NAME\n")
    write(base / "functions/b.py", "STATE = []\n")
    before = modules.load("a"), modules.load("b")

    write(helper, "NAME = 2\n")
    with modules.revision([helper]):
        after = modules.load("a"), modules.load("b")

    assert before[0].name() == 1
    assert after[0].name() == 2
    assert after[1] is before[1]


def test_a_failed_revision_puts_everything_back(base, modules):
    helper = write(base / "helper/names.py", "NAME = 1\n")
    write(base / "functions/a.py", "import helper.names\ndef name(): return helper.names.NAME\n")
    before = modules.load("a")

    write(helper, "NAME = 2\nraise RuntimeError('no')\n")
    with pytest.raises(RuntimeError), modules.revision([helper]):
        modules.load("a")

    assert modules.load("a") is before
    assert sys.modules["helper.names"].NAME == 1
    assert sys.modules["helper"].names.NAME == 1


def test_a_module_that_appears_is_found(base, modules):
    write(base / "functions/a.py", "try:\n    from helper import later\nexcept ImportError:\n    later = None\n")
    assert modules.load("a").later is None

    path = write(base / "helper/later.py", "")
    with modules.revision([path]):
        assert modules.load("a").later is not None


def test_a_deleted_module_is_gone(base, modules):
    path = write(base / "functions/a.py", "")
    modules.load("a")
    path.unlink()

    with pytest.raises(ModuleNotFoundError), modules.revision([path]):
        modules.load("a")


def test_old_revisions_are_freed(base, modules):
    path = write(base / "functions/a.py", "class Marker: pass\n")
    marker = weakref.ref(modules.load("a").Marker)
    for _ in range(3):
        with modules.revision([path]):
            modules.load("a")
    gc.collect()

    assert marker() is None


def test_the_standard_library_is_not_shadowed_and_folders_without_code_are_no_packages(base, modules):
    write(base / "json.py", "raise RuntimeError\n")
    (base / "config").mkdir()
    write(base / "functions/a.py", "import json\n")

    assert hasattr(modules.load("a").json, "dumps")
    with pytest.raises(ModuleNotFoundError):
        __import__("config")


def test_names_that_are_no_identifiers_can_be_handlers(base, modules):
    write(base / "functions/my-handler.py", "X = 1\n")

    assert modules.load("my-handler").X == 1


def test_closing_forgets_the_project(base, modules):
    write(base / "functions/a.py", "")
    modules.load("a")
    modules.close()

    assert "functions.a" not in sys.modules
    assert "functions" not in sys.modules


def test_two_projects_follow_each_other_in_one_process(tmp_path):
    for number in (1, 2):
        base = tmp_path / str(number)
        (base / "functions").mkdir(parents=True)
        write(base / "functions/a.py", f"X = {number}\n")
        modules = ModuleSet(base)
        modules.open()
        assert modules.load("a").X == number
        modules.close()


def test_a_folder_that_was_replaced_brings_all_its_modules_anew(base, modules):
    """`mv functions old; mv new functions` is two events, of the folder alone."""
    write(base / "functions/deep/greet.py", "X = 1\n")
    assert modules.load("deep.greet").X == 1
    (base / "functions/deep").rename(base / "old")
    (base / "functions/deep").mkdir()
    write(base / "functions/deep/greet.py", "X = 2\n")

    with modules.revision([base / "functions"]):
        assert modules.load("deep.greet").X == 2


def test_a_link_that_leads_to_itself_does_not_keep_others_from_being_imported(base, modules):
    path = write(base / "functions/a.py", "X = 1\n")
    assert modules.load("a").X == 1
    (base / "functions/self").symlink_to("self")
    write(path, "X = 2\n")

    with modules.revision([base / "functions/self", path]):
        assert modules.load("a").X == 2


def test_a_package_that_gets_its_init_file_is_imported_anew(base, modules):
    """Before, `helper` was a namespace package without a file."""
    write(base / "helper/names.py", "NAME = 1\n")
    handler = write(base / "functions/a.py", "from helper.names import NAME\n")
    modules.load("a")
    write(handler, "from helper import NAME\n")
    init = write(base / "helper/__init__.py", "NAME = 2\n")

    with modules.revision([handler, init]):
        assert modules.load("a").NAME == 2


def test_modules_of_a_package_whose_init_file_changed_are_still_its_attributes(base, modules):
    init = write(base / "helper/__init__.py", "")
    write(base / "helper/names.py", "NAME = 1\n")
    write(base / "functions/a.py", "import helper.names\ndef name(): return helper.names.NAME\n")
    assert modules.load("a").name() == 1
    write(init, "OTHER = 1\n")

    with modules.revision([init]):
        assert modules.load("a").name() == 1
