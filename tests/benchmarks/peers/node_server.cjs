// A hand-written server on Node's `ws`, payloads checked by ajv. argv: folder of node_modules, schema as JSON.
"use strict";
const { createRequire } = require("node:module");
const load = createRequire(process.argv[2] + "/");
const { WebSocketServer } = load("ws");
const Ajv = load("ajv/dist/2020").default;

const EVENT = "websocket.echo";
const validate = new Ajv().compile(JSON.parse(process.argv[3]));
const echo = async (payload) => payload;
const routes = new Map([[EVENT, [echo, validate]]]);

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, maxPayload: 2 ** 20, backlog: 1024 }, () => {
  console.log(`ws://127.0.0.1:${server.address().port}`);
});

server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", async (data) => {
    const { eventtype, id, payload } = JSON.parse(data);
    const route = routes.get(eventtype);
    let answer;
    if (route === undefined) {
      answer = { eventtype: "stream.error", id, payload: { code: 404 } };
    } else if (route[1](payload)) {
      const result = await route[0](payload);
      answer = { eventtype: "reply", id, payload: { success: true, code: 200, data: result } };
    } else {
      answer = { eventtype: "stream.error", id, payload: { code: 400 } };
    }
    socket.send(JSON.stringify(answer));
  });
});
