"""An event source without a socket, made by the plugin contract alone: somebody calls `ring`."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from gsws.plugins.contract import Health


class BellSource:
    def __init__(self, config, context):
        self.context = context
        self.tone = config["tone"]
        self.handles = {}
        self.is_up = False
        self.ringing = set()

    def subscribe(self, event, handle):
        self.handles[event] = handle

    async def start(self):
        self.is_up = True

    async def stop(self):
        """What rings may end: the drain time is the runtime's to give."""
        self.is_up = False
        if self.ringing:
            await asyncio.wait(self.ringing)

    def health(self):
        return Health(self.is_up, facts={"tone": self.tone})

    def ring(self, event, payload, **facts):
        task = asyncio.ensure_future(self.handles[event](payload, **facts))
        self.ringing.add(task)
        task.add_done_callback(self.ringing.discard)
        return task


class TunableBell(BellSource):
    def reconfigure(self, config):
        if config["tone"] == "broken":
            raise RuntimeError("no such tone")
        self.tone = config["tone"]
        return ()


class BellPlugin:
    type = "bell"
    source_type = "eventsource"
    config_file_name = "bell"
    default_config: ClassVar = {"tone": "low", "tunable": False}
    config_schema: ClassVar = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"type": {"const": "bell"}, "tone": {"type": "string"}, "tunable": {"type": "boolean"}},
    }

    def create(self, config, context):
        return (TunableBell if config["tunable"] else BellSource)(config, context)


plugin = BellPlugin()
