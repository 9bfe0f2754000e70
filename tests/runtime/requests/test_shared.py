"""What all requests share, a handler cannot change for everybody."""

from __future__ import annotations

import pytest

from tests.runtime.support import served

SHARED = """
def tries(value, change):
    try: change(value)
    except (TypeError, AttributeError) as error: return str(error)
    return "changed"

CHANGES = {
    "key": lambda ctx: ctx.config.__setitem__("a", 2),
    "attribute": lambda ctx: setattr(ctx.config, "a", 2),
    "nested": lambda ctx: ctx.config.deep.__setitem__("b", 2),
    "list": lambda ctx: ctx.config.many.append(4),
    "in list": lambda ctx: ctx.config.many[0].update(c=1),
    "sorted": lambda ctx: ctx.config.numbers.sort(),
    "delete": lambda ctx: ctx.config.pop("a"),
    "merged": lambda ctx: ctx.config.__ior__({"a": 3}),
    "mapping": lambda ctx: ctx.mappings.gender.__setitem__("m", "x"),
    "mappings": lambda ctx: ctx.mappings.clear(),
    "datasources": lambda ctx: ctx.datasources.__setitem__("x", 1),
    "functions": lambda ctx: setattr(ctx.functions, "t", 1),
    "claims": lambda ctx: ctx.actor.claims.__setitem__("admin", True),
    "actor": lambda ctx: setattr(ctx.actor, "subject", "root"),
    "inputs' actor": lambda ctx: ctx.inputs.actor.claims.update(admin=True),
}
async def change(ctx, payload): return tries(ctx, CHANGES[payload])
async def looks(ctx):
    return {"config": ctx.config, "mappings": ctx.mappings, "claims": ctx.actor.claims, "subject": ctx.actor.subject}
async def copies(ctx):
    import copy, json
    config = copy.deepcopy(ctx.config)
    config.many.append(1); config.deep["b"] = 9; config.deep.c = 1
    top = dict(ctx.config); top["a"] = 7
    return [config.deep.b, top["a"], ctx.config.deep.b, json.loads(json.dumps(ctx.config)) == ctx.config]
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    names = ("change", "looks", "copies")
    files = {
        "events/e.yaml": "".join(f"websocket.{name}: {{fn: t.{name}, payload: {{}}}}\n" for name in names),
        "functions/t.py": SHARED,
        "config/default.yaml": "a: 1\ndeep: {b: 1}\nmany: [{}, 2]\nnumbers: [2, 1]\n",
        "mappings/gender.yaml": "m: male\n",
    }
    with served(tmp_path_factory.mktemp("s"), files) as service:
        yield service


CHANGES = (
    "key,attribute,nested,list,sorted,delete,merged,mapping,mappings,datasources,functions,claims,actor,"
    "in list,inputs' actor"
).split(",")


@pytest.mark.parametrize("change", CHANGES)
def test_a_handler_cannot_change_what_others_share(shared, change):
    with shared.client() as one, shared.client() as other:
        before = other.ask("websocket.looks")["payload"]["data"]
        said = one.ask("websocket.change", change)["payload"]["data"]
        assert said != "changed"
        assert other.ask("websocket.looks")["payload"]["data"] == before
        assert one.ask("websocket.looks")["payload"]["data"] == before


def test_copies_are_ordinary(shared):
    with shared.client() as client:
        assert client.ask("websocket.copies")["payload"]["data"] == [9, 7, 1, True]
