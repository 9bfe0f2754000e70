"""Events: every key, read and refused."""

from __future__ import annotations

import math

import pytest

from gsws.project import AuthzSpec, RateSpec


def codes(project):
    return [finding.code for finding in project.findings]


def test_defaults(event):
    """An event of `fn` alone: enqueued, authenticated where the source is, with the seed's schema."""
    project = event("")
    (spec,) = project.events

    assert project.findings == ()
    assert (spec.concurrency, spec.timeout, spec.on_disconnect, spec.rate, spec.authn, spec.authz, spec.hook) == (
        "enqueue",
        None,
        None,
        None,
        True,
        None,
        None,
    )
    assert spec.validates == "message"
    assert spec.inbound.check({"eventtype": "websocket.chat", "payload": {"message": "x", "more": 1}, "extra": 1})
    assert not spec.inbound.check({"eventtype": "websocket.chat", "payload": {"message": 1}})


def test_every_key(tree):
    project = tree.load(
        {
            "functions/auth.py": "def may(ctx): return True\n",
            "functions/bad.py": "def bad(ctx): ...\n",
            "events/chat.yaml": """
"websocket.chat":
  fn: chat
  payload: {type: object, required: [count], properties: {count: {type: integer}}}
  reply: {type: string}
  emits: {stream.chunk: {type: object}, tool.call: {type: object, required: [name]}}
  summary: Chat
  description: Chats.
  tags: [a, b]
  operationId: chat
  id: chat-1
  examples: [{count: 1}, {name: two, payload: {count: 2}}]
  deprecated: true
  authn: false
  authz: auth.may
  concurrency: interrupt
  timeout: 1m30s
  on_disconnect: {grace: 30s}
  rate: {messages: 10, per: 1m}
  on_request_validation_error: bad
  log: {attributes: {team: chat}}
  params: [{name: room, in: query, required: true, schema: {type: string, maxLength: 3}}]
  responses: {200: {content: {application/json: {schema: {type: string}}}}, 404: {description: none}}
  x-owner: me
""",
        }
    )
    (spec,) = project.events

    assert project.findings == ()
    assert spec.validates == "payload"
    assert spec.inbound.check({"count": 1})
    assert not spec.inbound.check({"count": "1"})
    assert spec.reply.check("x")
    assert not spec.reply.check(1)
    assert sorted(spec.emits) == ["stream.chunk", "tool.call"]
    assert not spec.emits["tool.call"].check({})
    assert (spec.summary, spec.description, spec.tags, spec.operation_id, spec.id) == (
        "Chat",
        "Chats.",
        ("a", "b"),
        "chat",
        "chat-1",
    )
    assert spec.deprecated
    assert not spec.authn
    assert spec.authz.fn.callable == "may"
    assert not spec.authz.broken
    assert (spec.concurrency, spec.timeout, spec.on_disconnect) == ("interrupt", 90.0, 30.0)
    assert spec.rate == RateSpec(10, 60.0, 10)
    assert spec.hook.module == "bad"
    assert spec.log_attributes == {"team": "chat"}
    assert spec.query.check({"room": "abc"})
    assert not spec.query.check({})
    assert not spec.query.check({"room": "abcd"})
    assert list(spec.responses) == [200]
    assert not spec.responses[200].check(1)


def test_the_body_of_the_original_framework_is_the_payload(event):
    project = event("body: {required: true, content: {application/json: {schema: {type: object, required: [a]}}}}")

    assert project.findings == ()
    assert project.events[0].validates == "payload"
    assert not project.events[0].inbound.check({})


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("summary: x", False),
        ("presence: false", False),
        ("presence: null", False),
        ("presence: true", True),
        ("presence: chat.*", "chat.*"),
    ],
)
def test_rooms_that_are_told_who_comes_and_goes(event, keys, expected):
    project = event(keys)

    assert project.findings == ()
    assert project.events[0].presence == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("timeout: 0", math.inf),
        ("timeout: 2", 2.0),
        ("timeout: 500ms", 0.5),
        ("timeout: 2h", 7200.0),
        ("timeout: null", None),
    ],
)
def test_timeouts(event, keys, expected):
    project = event(keys)

    assert project.findings == ()
    assert project.events[0].timeout == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("on_validation_error: chat", ["GS305"]),
        ("Timeout: 3s", ["GS305"]),
        ("__proto__: 1", ["GS305"]),
        ("timeout: soon", ["GS306"]),
        ("timeout: [1]", ["GS306"]),
        ("timeout: true", ["GS306"]),
        ("timeout: -1", ["GS307"]),
        ("timeout: -1s", ["GS307"]),
        ("timeout: 1e300", ["GS307"]),
        (f"timeout: {10**300}", ["GS307"]),
        ("timeout: 400d", ["GS307"]),
        ("concurrency: paralel", ["GS307"]),
        ("concurrency: 1", ["GS307"]),
        ("on_disconnect: maybe", ["GS307"]),
        ("on_disconnect: {}", ["GS304"]),
        ("on_disconnect: {grace: 1s, more: 1}", ["GS305"]),
        ("on_disconnect: {grace: 2m}\ntimeout: 1m", ["GS310"]),
        ("rate: {per: 1s}", ["GS304"]),
        ("rate: {messages: -1}", ["GS307"]),
        ("rate: {messages: 1.5}", ["GS306"]),
        ("rate: {messages: 1, per: 0}", ["GS307"]),
        ("rate: 5", ["GS306"]),
        ("presense: true", ["GS305"]),
        ("presence: 5", ["GS306"]),
        ("presence: [chat]", ["GS306"]),
        ("presence: ''", ["GS307"]),
        ("authn: maybe", ["GS306"]),
        ("authz: true", ["GS307"]),
        ("authz: 5", ["GS306"]),
        ("authz: {}", ["GS304"]),
        ("authz: {scopes: []}", ["GS307"]),
        ("authz: {scopes: [1]}", ["GS306"]),
        ("authz: {scopes: [a], fn: chat}", ["GS310"]),
        ("authz: {scope: [a]}", ["GS305"]),
        ("authz: nowhere", ["GS201"]),
        ("authz: {scopes: [a]}\nauthn: false", ["GS310"]),
        ("schema: {}\npayload: {}", ["GS310"]),
        ("schema: text", ["GS306"]),
        ("payload: [1]", ["GS306"]),
        ("body: {}\npayload: {}", ["GS309"]),
        ("tags: a", ["GS306"]),
        ("summary: 5", ["GS306"]),
        ("deprecated: yes please", ["GS306"]),
        ("emits: {gsws.x: {}}", ["GS308"]),
        ("emits: [a]", ["GS306"]),
        ("params: [{name: a, in: header}]", ["GS309"]),
        ("params: [{in: query}]", ["GS304"]),
        ("params: {}", ["GS306"]),
        ("security: []", ["GS309"]),
        ("on_response_validation_error: x", ["GS309"]),
        ("responses: {default: {}}", ["GS309"]),
        ("responses: []", ["GS306"]),
        ("on_request_validation_error: nowhere", ["GS201"]),
        ("log: {level: info}", ["GS305"]),
        ("examples: [{}]", ["GS409"]),
        ("examples: [{message: hi}, {eventtype: websocket.chat, payload: {message: hi}}]", []),
        ("timeout: ${NONE}", ["GS501"]),
        ("timeout: <% 1 + 1 %>", ["GS502"]),
        ("timeout: ${X:-soon}", ["GS506"]),
        ("payload: {const: '${NONE}'}", ["GS501"]),
    ],
)
def test_a_wrong_key_or_value_is_named(event, keys, expected):
    assert codes(event(keys)) == expected


def test_an_event_without_fn(tree):
    assert tree.codes({"events/chat.yaml": '"websocket.chat": {summary: x}\n'}) == ["GS304"]
    assert tree.codes({"events/chat.yaml": '"websocket.chat":\n'}) == ["GS304"]
    assert tree.codes({"events/chat.yaml": '"websocket.chat": {fn: ""}\n'}) == ["GS307"]
    assert tree.codes({"events/chat.yaml": '"websocket.chat": {fn: 5}\n'}) == ["GS306"]
    assert tree.codes({"events/chat.yaml": '"websocket.chat": chat\n'}) == ["GS306"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("websocket.a b", []),
        ("websocket.__proto__", []),
        ("websocket.__class__", []),
        ("websocket.a.b.c", []),
        ("websocket.ünï🙂", []),
        ("chat", ["GS302"]),
        ("websocket.", ["GS302"]),
        (".chat", ["GS302"]),
        (" websocket.chat", ["GS302"]),
        ("websocket & .a", ["GS302"]),
        ("reply", ["GS308"]),
        ("gsws.chat", ["GS303", "GS308"]),
        ("stream.start", ["GS303", "GS308"]),
        ("websockt.chat", ["GS303"]),
        ("Websocket.chat", ["GS303"]),
    ],
)
def test_event_keys(tree, key, expected):
    found = tree.codes({"events/chat.yaml": f"'{key}': {{fn: chat}}\n"})

    assert sorted(found) == expected


def test_one_key_declares_on_two_sources(tree):
    project = tree.load(
        {
            "eventsources/second.yaml": "type: websocket\nport: 8001\n",
            "events/chat.yaml": '"websocket & second.chat": {fn: chat}\n',
        }
    )

    assert project.findings == ()
    assert [(event.key, event.source) for event in project.events] == [
        ("websocket.chat", "websocket"),
        ("second.chat", "second"),
    ]


def test_the_same_key_in_two_files_names_both_places(tree):
    assert tree.rendered({"events/b.yaml": '"websocket.chat":\n  fn: chat\n'}) == (
        "error[GS301]: the event `websocket.chat` is declared twice\n"
        " --> events/chat.yaml:1:1\n"
        "  |\n"
        '1 | "websocket.chat": {fn: chat}\n'
        "  | ^^^^^^^^^^^^^^^^ again here\n"
        "  |\n"
        " ::: events/b.yaml:1:1\n"
        "  |\n"
        '1 | "websocket.chat":\n'
        "  | ---------------- first here\n"
        "  = help: rename or remove one of them"
    ) or tree.codes() == ["GS301"]


def test_events_of_a_plugin_that_is_not_there_are_one_message(tree):
    """Thirty Kafka events of an old project are one thing to do, and their own keys are not judged."""
    files = {f"events/k{number}.yaml": f'"kafka.t{number}.g": {{fn: x{number}, group_id: 1}}\n' for number in range(30)}
    project = tree.load(files)
    (finding,) = project.findings

    assert finding.code == "GS303"
    assert finding.message.startswith(
        "no event source `kafka`: the Kafka plugin `kafka` is not part of this project (30 events need it: `kafka.t0.g`"
    )
    assert len(finding.related) == 29
    assert "no plugin `kafka` comes with gsws" in finding.help


@pytest.mark.parametrize("key", ["http.get./greet", "cron.* * * * *.Asia/Kolkata", "kafka.topic.group"])
def test_keys_of_the_original_framework_name_their_plugin(tree, key):
    project = tree.load({"events/old.yaml": f"'{key}':\n  fn: chat\n  body: {{}}\n"})

    assert codes(project) == ["GS303"]
    assert f"no plugin `{key.partition('.')[0]}` comes with gsws" in project.findings[0].help


@pytest.mark.parametrize("text", ["", "# nothing\n", "null\n", "{}\n"])
def test_an_empty_file_has_no_events(tree, text):
    assert tree.codes({"events/empty.yaml": text}) == []


@pytest.mark.parametrize("text", ["[]\n", "text\n", "5\n"])
def test_a_file_that_is_no_mapping(tree, text):
    assert tree.codes({"events/odd.yaml": text}) == ["GS306"]


def test_a_key_for_shared_anchors_is_passed_by(tree):
    files = {"events/chat.yaml": 'x-base: &base {fn: chat}\n"websocket.chat":\n  <<: *base\n'}

    assert tree.codes(files) == []
    assert tree.codes({"events/more.yaml": "x-other.event: {fn: chat}\n"}) == ["GS303"]


def test_an_event_takes_authz_and_hook_from_its_source(tree):
    tree.write("functions/auth.py", "def may(ctx): ...\ndef own(ctx): ...\n")
    tree.write("eventsources/websocket.yaml", "type: websocket\nauthz: auth.may\non_request_validation_error: chat\n")
    project = tree.load(
        {
            "events/chat.yaml": """
"websocket.a": {fn: chat}
"websocket.b": {fn: chat, authz: auth.own, on_request_validation_error: auth.own}
"websocket.c": {fn: chat, authz: false}
"websocket.d": {fn: chat, authz: {scopes: ["chat:write"]}}
"""
        }
    )
    authz = {event.key[-1]: event.authz for event in project.events}

    assert project.findings == ()
    assert authz["a"].fn.callable == "may"
    assert authz["b"].fn.callable == "own"
    assert authz["c"] is None
    assert authz["d"] == AuthzSpec(None, ("chat:write",))
    assert [event.hook.callable for event in project.events] == ["chat", "own", "chat", "chat"]


def test_authz_that_cannot_be_resolved_lets_nobody_in(event):
    """Were such a project ever served, the event would still be closed."""
    assert event("authz: nowhere").events[0].authz.broken
    assert event("authz: ${NONE}").events[0].authz.broken
    assert event("authz: [a]").events[0].authz.broken


def test_values_of_variables_are_not_quoted(tree):
    """A secret in the wrong place must not end up in a log."""
    tree.environ = {"SECRET": "hunter2"}
    shown = tree.rendered(
        {
            "events/chat.yaml": '"websocket.chat": {fn: chat, concurrency: "${SECRET}", timeout: "${SECRET}"}\n',
            "eventsources/websocket.yaml": "type: websocket\nport: ${SECRET}\nhost: [1]\npath: ${SECRET}\n",
        }
    )

    assert "GS506" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize("key", ["schema", "payload", "reply"])
def test_a_schema_that_yaml_takes_for_a_comment_is_an_error(tree, key):
    """Absent it would be the default schema, or none."""
    project = tree.load({"events/chat.yaml": f'"websocket.chat":\n  fn: chat\n  {key}: #/definitions/d/K\n'})
    (finding,) = project.findings

    assert (finding.code, finding.span.line, finding.span.column) == ("GS401", 3, len(key) + 5)


def test_an_empty_key_of_an_event_still_counts_as_absent(tree):
    text = '"websocket.chat":\n  fn: chat\n  payload:\n  reply: # to do\n  emits: {a.b: ~}\n'
    assert tree.codes({"events/chat.yaml": text}) == []


def test_null_in_an_example_of_an_event_is_data(tree):
    text = (
        '"websocket.chat":\n  fn: chat\n  examples: [{to: null}]\n'
        "  payload: {required: [to], properties: {to: {type: 'null'}}}\n"
    )
    assert tree.load({"events/chat.yaml": text}).events[0].examples == ({"to": None},)
    assert tree.codes({"events/chat.yaml": text}) == []


def test_null_in_a_mapping_is_data(tree):
    assert dict(tree.load({"mappings/m.yaml": "a: null\nb: {c: ~}\n"}).mappings) == {"m": {"a": None, "b": {"c": None}}}


def test_a_definition_is_repaired_like_an_event(tree):
    """Its document has other data than its text by then."""
    text = "A: {$ref: '#/B', nullable: true, type: string}\nB:\n  allOf:\n    - $ref: #/C\nC: {type: string}\n"
    findings = tree.load({"definitions/d.yaml": text}).findings

    assert [(one.code, one.span.line) for one in findings] == [("GS402", 1), ("GS401", 4)]
    # Others may refer to a definition from anywhere, so what it accepts is not widened by itself.
    assert [one.fix is not None for one in findings] == [False, True]
    assert findings[1].message == "`$ref` has no value: in YAML `#/C` is a comment"
