"""
Projects of any size, as people write them: every event a file with schemas of its own, every handler a file.

The same files come out for the same count; no two schemas are equal, so that nothing is compiled once for all.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["event_file", "handler_file", "write_project"]

_SOURCE = "type: websocket\nport: 0\n"


def write_project(folder: Path, count: int) -> Path:
    """Write a project of ``count`` events and return its root."""
    for inner in ("events", "eventsources", "functions"):
        (folder / inner).mkdir(parents=True, exist_ok=True)
    (folder / "gsws.yaml").write_text("name: measured\n")
    (folder / "eventsources" / "websocket.yaml").write_text(_SOURCE)
    for number in range(count):
        (folder / "events" / f"order_{number}.yaml").write_text(event_file(number))
        (folder / "functions" / f"order_{number}.py").write_text(handler_file(number))
    return folder


def event_file(number: int) -> str:
    """One event with a payload of five properties, a reply and one emitted event type."""
    return f"""\
# Orders of shop {number}.
"websocket.order.{number}":
  fn: order_{number}
  summary: Takes an order of shop {number}
  tags: [orders, shop]
  timeout: 30s
  payload:
    type: object
    required: [item_{number}, quantity]
    additionalProperties: false
    properties:
      item_{number}: {{type: string, minLength: 1, maxLength: 200}}
      quantity: {{type: integer, minimum: 1, maximum: {number + 10}}}
      note: {{type: string, maxLength: 2000}}
      tags:
        type: array
        maxItems: 8
        items: {{enum: [gift, express, shop-{number}]}}
      address:
        type: object
        required: [city]
        properties:
          city: {{type: string, maxLength: 80}}
          zip: {{type: string, pattern: "^[0-9]{{5}}$"}}
  reply:
    type: object
    required: [order]
    properties:
      order: {{type: string, maxLength: 64}}
  emits:
    order.progress:
      type: object
      properties:
        percent: {{type: integer, minimum: 0, maximum: 100}}
"""


def handler_file(number: int) -> str:
    """One handler that streams a little and answers."""
    return f'''\
"""Orders of shop {number}."""

from __future__ import annotations

PRICE = {number}


async def order_{number}(ctx, payload):
    """Take an order, tell how far it is, and answer with its number."""
    quantity = payload["quantity"]
    if quantity > {number + 5}:
        ctx.logger.info("large order", quantity=quantity)
    for percent in (0, 50, 100):
        await ctx.emit("order.progress", {{"percent": percent}})
    total = _total(payload, PRICE)
    return {{"order": f"{{payload['item_{number}']}}-{{total}}"}}


def _total(payload, price):
    return sum(price for _ in range(payload["quantity"]))
'''
