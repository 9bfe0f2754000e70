"""What stands behind a link is live when it is saved, wherever in the project it lies."""

from __future__ import annotations

import pytest

from tests.runtime.support import served, write

EVENTS = "websocket.x: {fn: x, payload: {}}\n"


def project(tmp_path, *, link, target, files):
    for path, text in files.items():
        write(tmp_path, path, text)
    place = tmp_path / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def x(client):
    return client.ask("websocket.x")["payload"].get("data")


@pytest.mark.parametrize(
    ("link", "target", "saved"),
    [
        ("functions/x.py", "../shared/x.py", "shared/x.py"),
        ("functions/x.py", "../public/code/x.py", "public/code/x.py"),
    ],
)
def test_a_handler_behind_a_link_is_reloaded_when_its_file_is_saved(tmp_path, link, target, saved):
    project(tmp_path, link=link, target=target, files={saved: "async def x(): return 1\n"})
    with served(tmp_path, {"events/e.yaml": EVENTS}, watch=True) as service, service.client() as client:
        assert x(client) == 1
        service.reports.clear()
        service.write(saved, "async def x(): return 2\n")
        service.wait_for(lambda: any(saved in report.changed for report in service.reports))
        assert x(client) == 2


def test_a_helper_in_a_linked_folder_reloads_what_imports_it(tmp_path):
    files = {"shared/words/names.py": "NAME = 1\n"}
    project(tmp_path, link="helper", target="shared/words", files=files)
    handler = "from helper.names import NAME\nasync def x(): return NAME\n"
    with served(tmp_path, {"events/e.yaml": EVENTS, "functions/x.py": handler}) as service, service.client() as client:
        assert x(client) == 1
        service.write("shared/words/names.py", "NAME = 2\n")
        service.reload("shared/words/names.py")
        assert x(client) == 2


def test_a_link_that_is_pointed_elsewhere_is_reloaded(tmp_path):
    files = {"one/x.py": "async def x(): return 1\n", "two/x.py": "async def x(): return 2\n"}
    project(tmp_path, link="functions/x.py", target="../one/x.py", files=files)
    with served(tmp_path, {"events/e.yaml": EVENTS}) as service, service.client() as client:
        assert x(client) == 1
        (tmp_path / "functions/x.py").unlink()
        (tmp_path / "functions/x.py").symlink_to("../two/x.py")
        service.reload("functions/x.py")
        assert x(client) == 2


def test_a_module_whose_change_nobody_told_of_is_imported_anew_with_the_next(tmp_path):
    """Contents count, not notices."""
    files = {
        "events/e.yaml": EVENTS,
        "functions/x.py": "from helper.names import NAME\nasync def x(): return NAME\n",
        "helper/names.py": "NAME = 1\n",
    }
    with served(tmp_path, files) as service, service.client() as client:
        service.write("helper/names.py", "NAME = 2\n")
        service.reload("events/e.yaml")
        assert x(client) == 2
