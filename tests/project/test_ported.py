"""Projects that were written for the original framework: what is read, and one finding a cause."""

from __future__ import annotations

import pytest


@pytest.fixture
def ported(empty):
    """The layout of its projects: everything under `src/`, `config/` beside it, handlers in TypeScript."""
    empty.write("src/eventsources/websocket.yaml", "type: websocket\nport: <% config.port %>\n")
    empty.write("src/events/chat.yaml", '"websocket.chat":\n  fn: com.chat\n')
    empty.write("src/functions/com/chat.py", "async def chat(ctx): ...\n")
    empty.write("config/default.yaml", "port: 8123\n")
    return empty


def test_config_beside_src_is_read(ported):
    project = ported.load()
    assert project.findings == ()
    assert project.sources["websocket"].config["port"] == 8123


def test_config_under_src_wins(ported):
    assert ported.load({"src/config/default.yaml": "port: 9000\n"}).sources["websocket"].config["port"] == 9000


def test_variables_replace_config_as_node_config_has_it(ported):
    """Names of variables, some parsed; what is not set replaces nothing, and no name is a secret."""
    ported.environ |= {"PORT": "7001", "DB_PASSWORD": "hunter2hunter2", "FLAGS": '{"a": [1]}', "EMPTY": ""}
    names = (
        "port: {__name: PORT, __format: number}\ndb: {password: DB_PASSWORD, user: DB_USER, secret: EMPTY}\n"
        "flags: {__name: FLAGS, __format: json}\n"
    )
    project = ported.load({"config/custom-environment-variables.yaml": names})
    assert project.findings == ()
    assert dict(project.config) == {"port": 7001, "db": {"password": "hunter2hunter2"}, "flags": {"a": [1]}}
    assert project.mask.hide("hunter2hunter2") == "${DB_PASSWORD}"


@pytest.mark.parametrize(
    ("text", "code"),
    [("port: 5\n", "GS306"), ("- a\n", "GS306"), ("a: {__name: PORT, __format: number}\n", "GS506"),
     ("a: {__name: PORT, __format: json}\n", "GS506"), ("a: {__name: PORT, __format: xml}\n", "GS307")],
)  # fmt: skip
def test_what_is_wrong_with_such_a_file_is_told(ported, text, code):
    ported.environ["PORT"] = "Zk81nnSecretText"
    project = ported.load({"config/custom-environment-variables.yaml": text})
    assert [one.code for one in project.findings] == [code]
    assert "Zk81" not in str(project.findings)


def test_a_missing_plugin_is_one_finding(ported):
    """Files and events of a plugin that is not there are counted, not judged."""
    files = {
        "src/eventsources/clock.yaml": "type: cron\nanything: [1]\nport: 99999999\n",
        "src/eventsources/other.yaml": "type: cron\n",
        "src/events/clock.yaml": "".join(
            f'"clock.* * * * {number}.UTC": {{fn: nowhere{number}, bogus: 1, schema: {{type: strin}}}}\n'
            for number in range(5)
        ),
        "src/datasources/db.yaml": "type: prisma\nurl: x\n",
    }
    found = ported.load(files).findings
    assert sorted((one.code, one.message) for one in found) == [
        ("GS701", "the plugin `cron` (schedules) is configured but not installed (2 files and 5 events need it)"),
        ("GS701", "the plugin `prisma` (databases) is configured but not installed"),
    ]
    assert not any("gsws plugin add" in (one.help or "") for one in found), "there is no such package"


def test_workflows_in_yaml_are_one_finding(ported):
    """Events that name one say nothing more."""
    for name in ("a", "b/c", "d"):
        ported.write(f"src/functions/{name}.yaml", "tasks: []\n")
    events = '"websocket.a": {fn: a}\n"websocket.b": {fn: b.c}\n'
    (finding,) = ported.load({"src/events/more.yaml": events}).findings
    assert (finding.code, len(finding.related)) == ("GS213", 2)
    assert "3 of them" in finding.message


@pytest.mark.parametrize("file", ["com/old.ts", "com/old/index.ts", "com/old/index.js"])
def test_a_handler_that_is_there_in_typescript_is_named(ported, file):
    ported.write(f"src/functions/{file}", "export default 1\n")
    (finding,) = ported.load({"src/events/more.yaml": '"websocket.a": {fn: com.old}\n'}).findings
    assert finding.code == "GS201"
    assert f"`src/functions/{file}` is there, but handlers are Python: `gsws new function com.old`" in finding.help


@pytest.mark.parametrize("name", ["a-b", "a b.c-d", "class", "1st", "-", "ünit"])
def test_no_command_is_proposed_that_is_refused(ported, name):
    from gsws.scaffold.names import check_function_name

    (finding,) = (
        one
        for one in ported.load({"src/events/m.yaml": f'"websocket.a": {{fn: "{name}"}}\n'}).findings
        if one.code == "GS201"
    )
    assert finding.help
    if "gsws new function" in finding.help:
        check_function_name(finding.help.split("gsws new function ")[1].split("`")[0])


def test_a_datasource_is_not_told_of_event_sources(ported):
    (finding,) = ported.load({"src/datasources/db.yaml": "type: websockets\n"}).findings
    assert finding.code == "GS601"
    assert "websocket`" not in finding.help.replace("websockets", "")


def test_a_wrong_key_of_an_anchor_is_told_once(ported):
    text = "x-base: &base {fn: com.chat, sumary: x}\n" + "".join(f'"websocket.e{n}": {{<<: *base}}\n' for n in range(4))
    assert [one.code for one in ported.load({"src/events/m.yaml": text}).findings] == ["GS305"]


def test_a_version_is_what_stands_there(ported):
    assert ported.load({"gsws.yaml": "name: a\nversion: 1.10\n"}).settings.version == "1.10"


@pytest.mark.parametrize(
    ("text", "help"),
    [("log: {level: warn}\n", "did you mean `warning`?"), ("name: ${env.NAME}\n", "write `${NAME}`")],
)
def test_usual_spellings_of_elsewhere_get_help(ported, text, help):
    assert help in ported.load({"gsws.yaml": text}).findings[0].help


def test_single_quotes_in_dotenv_are_taken_as_they_are(ported):
    project = ported.load({".env": "A=x\nB='${A}$'\nC=\"${A}\"\nexport D='${NOPE}'\nE=${A:-1}\n"})
    assert project.findings == ()
    assert {name: project.environ[name] for name in "BCDE"} == {"B": "${A}$", "C": "x", "D": "${NOPE}", "E": "x"}


def test_a_variable_that_dotenv_lacks_is_said(ported):
    (finding,) = ported.load({".env": "A=1\nURL=http://${NOT_THERE}/${A}\n"}).findings
    assert (finding.code, finding.span.line) == ("GS501", 2)
    assert "`NOT_THERE`" in finding.message
