"""Clean projects as texts by path: the starter template, and a richer one that uses nearly every key."""

from __future__ import annotations

from pathlib import PurePath

from gsws.scaffold.templates import find_template

__all__ = ["ENVIRON", "RICH", "samples"]

_READ = {"gsws.yaml", "events", "eventsources", "functions", "definitions", "config", "mappings"}

ENVIRON = {"SHOP_SECRET": "x" * 40, "PUSH_PORT": "8200"}
"""The variables that the samples look up."""

_WEBSOCKET = """\
# Where browsers connect.
type: websocket
host: 127.0.0.1
port: 8100
path: /shop
origins: [https://shop.example.com, "https://admin.example.com"]
authn:
  jwt:
    secret: ${SHOP_SECRET}
    algorithms: [HS256]
    issuer: shop.example.com
    leeway: 10s
  anonymous: false
authz: auth.may
limits: {message_bytes: 1MiB, json_depth: 32, in_flight: 16, queue: 500, rate: {messages: 100, per: 1s, burst: 20}}
heartbeat:
  interval: 20s
  timeout: 20s
compression: false
strict: false
on_request_validation_error: hooks.refused
"""

_PUSH = """\
type: websocket
port: ${PUSH_PORT:-8200}
heartbeat: {interval: 30s, timeout: 10s}
authn:
  fn: auth.known
"""

_ORDERS = """\
# Orders, from the basket to the parcel.
"websocket.order.create":
  fn: shop.orders.create
  summary: Take an order
  description: |
    Checks the stock, takes the money and tells how far it is.
  tags: [orders, money]
  operationId: createOrder
  payload:
    type: object
    required: [items, address, currency]
    additionalProperties: false
    properties:
      items:
        type: array
        minItems: 1
        maxItems: 50
        items:
          $ref: "#/definitions/shop/Item"
      address:
        $ref: '#/definitions/shop/Address'
      currency: {enum: [EUR, USD, GBP]}
      email: {type: string, format: email, maxLength: 200}
      coupon:
        type: [string, "null"]
        pattern: "^[A-Z0-9]{4,12}$"
        maxLength: 12
      gift: {type: boolean, default: false}
  reply:
    type: object
    required: [order, total]
    additionalProperties: false
    properties:
      order: {type: string, format: uuid}
      total: {$ref: "#/definitions/money/Amount"}
  emits:
    order.progress:
      type: object
      required: [percent]
      additionalProperties: false
      properties:
        percent: {type: integer, minimum: 0, maximum: 100}
  authz: {scopes: [orders:write]}
  concurrency: reject
  timeout: 30s
  on_disconnect: {grace: 10s}
  rate: {messages: 10, per: 1m, burst: 5}
  log:
    attributes: {area: orders}
  examples:
    - items: [{sku: A-1, quantity: 2}]
      address: {street: Main, city: Bonn, country: DE}
      currency: EUR

websocket.order.cancel:
  fn: shop.orders.cancel
  summary: Cancel an order
  schema:
    type: object
    required: [eventtype, payload]
    properties:
      eventtype: {const: websocket.order.cancel}
      payload:
        type: object
        required: [order]
        properties:
          order: {type: string, format: uuid}
          reason: {type: string, minLength: 3, maxLength: 500}
        additionalProperties: false
  authz: auth.may_cancel
  on_disconnect: continue
  deprecated: false
"""

_WATCH = """\
"websocket & push.stock.watch":
  fn: shop.stock
  summary: Stream the stock of an article
  payload:
    type: object
    properties:
      sku: {$ref: "#/definitions/shop/Sku"}
      depth: {type: integer, minimum: 1, maximum: 10}
      every:
        oneOf:
          - {type: integer, exclusiveMinimum: 0, maximum: 3600}
          - {type: string, format: duration, maxLength: 20}
    required:
      - sku
      - depth
    additionalProperties: false
  concurrency: interrupt
  authn: true
  timeout: 5m

push.legacy.echo:
  fn: legacy
  authn: false
  authz: false
  on_request_validation_error: hooks.refused
  params:
    - name: tenant
      in: query
      required: true
      schema: {type: string, maxLength: 30}
  body:
    content:
      application/json:
        schema:
          type: object
          required: [text]
          properties:
            text: {type: string, maxLength: 1000}
          additionalProperties: false
  responses:
    200:
      content:
        application/json:
          schema: {type: object, properties: {text: {type: string, maxLength: 2000}}, additionalProperties: false}
"""

_SHOP = """\
Sku:
  type: string
  pattern: "^[A-Z]-[0-9]+$"
  maxLength: 20
Item:
  type: object
  required: [sku, quantity]
  additionalProperties: false
  properties:
    sku: {$ref: "#/definitions/shop/Sku"}
    quantity: {type: integer, minimum: 1, maximum: 99}
Address:
  type: object
  required: [street, city, country]
  additionalProperties: false
  properties:
    street: {type: string, minLength: 1, maxLength: 200}
    city: {type: string, minLength: 1, maxLength: 100}
    country: {type: string, minLength: 2, maxLength: 2}
    zip: {$ref: "./money.yaml#/Digits"}
"""

_MONEY = """\
Digits: {type: string, pattern: "^[0-9]+$", maxLength: 10}
Amount:
  type: object
  required: [value, currency]
  properties:
    value: {type: integer, minimum: 0}
    currency: {enum: [EUR, USD, GBP]}
  additionalProperties: false
"""

_FUNCTIONS = {
    "functions/shop/orders.py": '''\
"""Orders."""


async def create(ctx, payload):
    """Take an order."""
    await ctx.emit("order.progress", {"percent": 50})
    return {"order": ctx.inputs.id, "total": {"value": 1, "currency": payload["currency"]}}


async def cancel(ctx):
    """Cancel an order."""
    return None


def _log(ctx):
    ctx.logger.info("order")
''',
    "functions/shop/stock.py": '''\
"""Stock."""


async def stock(payload):
    """Stream the stock."""
    for number in range(payload["depth"]):
        yield {"sku": payload["sku"], "number": number}
''',
    "functions/legacy.py": """\
def handler(ctx):
    return {"text": ctx.inputs.data.payload["text"]}
""",
    "functions/auth.py": '''\
"""Who may do what."""


def may(ctx):
    return True


def may_cancel(ctx):
    return ctx.actor is not None


def known(handshake):
    return None
''',
    "functions/hooks.py": """\
def refused(ctx):
    return ctx.inputs.data.validation_error
""",
}

RICH: dict[str, str] = {
    "gsws.yaml": """\
name: shop
version: "1.4.0"
drain_timeout: 20s
log: {level: info, format: json}
resume: {window: 2m, bytes: 1MiB}
""",
    "eventsources/websocket.yaml": _WEBSOCKET,
    "eventsources/push.yaml": _PUSH,
    "events/orders.yaml": _ORDERS,
    "events/stock/watch.yaml": _WATCH,
    "definitions/shop.yaml": _SHOP,
    "definitions/money.yaml": _MONEY,
    "config/default.yaml": "shop:\n  name: Corner shop\n  open: true\n  limit: 20\n",
    "mappings/greeting.yaml": "de: Hallo <% config.shop.name %>\nen: Hello\n",
    ".env.example": "SHOP_SECRET=\nPUSH_PORT=8200\n",
    **_FUNCTIONS,
}
"""A project with two sources, definitions, config, mappings and all kinds of event keys."""


def samples() -> dict[str, dict[str, str]]:
    """The clean projects by name."""
    template = find_template("starter")
    if template is None:
        raise LookupError("the starter template is gone")
    starter = template.files({"name": "chat", "version": "0.1.0"})
    ours = {path: raw.decode() for path, raw in starter.items() if PurePath(path).suffix in {".yaml", ".py"}}
    # Workflows and tests that come with a template are nothing that gsws reads.
    read = {path: text for path, text in ours.items() if path.partition("/")[0] in _READ}
    return {"starter": read, "rich": RICH}
