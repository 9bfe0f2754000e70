// The chat page: one connection that repairs itself, one answer at a time, conversations that outlive the page.
// How Markdown is shown is in `markdown.js`; the wire is in `/gsws.js`, which gsws serves.
import { connect } from "/gsws.js";
import { render } from "./markdown.js";

const at = (id) => document.getElementById(id);
const log = at("log");

// Without authentication, the label is who one is: the same on this browser until its storage is cleared.
const clientId = (localStorage.me ??= `user-${[...crypto.getRandomValues(new Uint32Array(4))].join("-")}`);
let thread = localStorage.thread ?? "default";
let client = null;
let running = null;
let ended = Promise.resolve();
let opened = 0;

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function add(element, parent = log) {
  const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  parent.append(element);
  if (follows) log.scrollTop = log.scrollHeight;
  return element;
}

// One answer on the page, made frame by frame.

class Answer {
  constructor(...request) {
    this.request = request; // what to send to try again
    this.tools = make("div");
    this.reasoning = null;
    this.body = make("div");
    this.after = make("div");
    this.element = add(make("article", { className: "agent" }, this.tools, this.body, this.after));
    this.text = "";
    this.sources = [];
    this.calls = new Map();
    this.busy(true);
  }

  busy(is) {
    this.element.setAttribute("aria-busy", String(is)); // a screen reader waits for the whole answer
    this.element.classList.toggle("working", is && !this.text);
    this.body.classList.toggle("working", is && Boolean(this.text));
  }

  take({ eventtype, payload }) {
    if (eventtype === "stream.start") this.request = ["websocket.retry", {}]; // the question is in the conversation now
    else if (eventtype === "stream.chunk") this.write(payload.message);
    else if (eventtype === "tool.call") {
      const args = Object.values(payload.args ?? {}).filter((value) => typeof value === "string").join(", ");
      const chip = make("span", { className: "tool", textContent: args ? `${payload.name}: ${args}` : payload.name });
      this.calls.set(payload.id, add(chip, this.tools));
    } else if (eventtype === "tool.result") this.calls.get(payload.id)?.append(" ✓");
    else if (eventtype === "tool.error") {
      this.calls.get(payload.id)?.classList.add("failed");
      this.calls.get(payload.id)?.append(" ✕");
    } else if (eventtype === "sources") this.cite(payload.sources);
    else if (eventtype === "reasoning") this.reason(payload.message);
    else if (eventtype === "interrupt") this.ask(payload);
    else if (eventtype === "stream.snapshot") {
      this.text = "";
      this.write(payload.message);
    }
  }

  write(text) {
    this.text += text;
    this.frame ??= requestAnimationFrame(() => this.show());
  }

  show() {
    this.frame = undefined;
    const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    this.body.replaceChildren(render(this.text, this.sources));
    if (this.element.getAttribute("aria-busy") === "true") this.busy(true);
    if (follows) log.scrollTop = log.scrollHeight;
  }

  reason(text) {
    if (!this.reasoning) {
      this.reasoning = make("p");
      this.tools.after(make("details", {}, make("summary", { textContent: "Thoughts" }), this.reasoning));
    }
    this.reasoning.append(text);
  }

  cite(sources) {
    this.sources = [...this.sources, ...sources]; // a turn that searches again goes on counting
    const entries = this.sources.map((source) => {
      const name = source.title ? `${source.title} — ${source.source}` : source.source;
      return make("li", { value: source.id }, name, make("q", { textContent: source.text ?? "" }));
    });
    const list = make("ol", {}, ...entries);
    const summary = make("summary", { textContent: entries.length === 1 ? "1 source" : `${entries.length} sources` });
    this.list?.remove();
    this.list = make("details", { className: "sources" }, summary, list);
    this.after.append(this.list);
  }

  ask({ id, value }) {
    const input = make("input", { ariaLabel: "Your answer" });
    const form = make("form", {}, input, make("button", { textContent: "Answer" }));
    form.onsubmit = (event) => {
      event.preventDefault();
      if (running) return;
      form.remove();
      run("websocket.resume", { answers: { [id]: input.value } }, this.sources);
    };
    const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
    this.after.append(make("p", { textContent: text }), form);
  }

  end(text, failed = false) {
    this.busy(false);
    this.show();
    if (!text) return;
    const outcome = make("p", { className: failed ? "outcome failed" : "outcome" }, `${text} `);
    const again = make("button", { type: "button", textContent: "Try again" });
    again.onclick = () => {
      if (running) return;
      this.element.remove();
      run(...this.request);
    };
    outcome.append(again);
    add(outcome, this.after);
  }
}

// Asking.

function run(event, payload, sources = []) {
  if (!running) ended = stream(event, payload, sources).catch(report);
}

async function stream(event, payload, sources) {
  const answer = new Answer(event, payload);
  if (sources.length) answer.cite(sources); // of the same turn, before it stopped to ask
  try {
    // The answer goes on while the connection is repaired; ten minutes without a frame is the end.
    running = client.stream(event, { ...payload, thread }, { timeout: 600000 });
    at("send").hidden = true;
    Object.assign(at("stop"), { hidden: false, disabled: false, textContent: "Stop" });
    for await (const frame of running.frames()) answer.take(frame);
    answer.end(running.reason === "cancelled" ? "Stopped." : running.result.finish_reason === "length" ? "Cut short." : "");
  } catch (error) {
    answer.end(error.message || "That failed.", true);
  } finally {
    running = null;
    // Whoever reads elsewhere meanwhile is left there; a button that is gone has no focus.
    const moves = [document.body, at("stop"), null].includes(document.activeElement);
    at("send").hidden = false;
    at("stop").hidden = true;
    if (moves) at("message").focus();
  }
  await conversations();
}

function report(error) {
  add(make("p", { className: "outcome failed", textContent: error.message || "That failed." }));
}

at("form").onsubmit = (event) => {
  event.preventDefault();
  const message = at("message").value.trim();
  if (!message || running || !client) return;
  log.querySelector(".empty")?.remove();
  at("message").value = "";
  add(make("article", { className: "user", textContent: message }));
  log.scrollTop = log.scrollHeight;
  run("websocket.stream", { message });
};
at("message").onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  at("form").requestSubmit();
};
at("stop").onclick = () => stop();

document.addEventListener("keydown", ({ key }) => { if (key === "Escape") stop(); });
addEventListener("pagehide", () => stop()); // what a conversation says is kept when its answer ends

function stop() {
  if (running) Object.assign(at("stop"), { disabled: true, textContent: "Stopping…" });
  running?.cancel();
  return ended;
}

// Conversations.

async function conversations() {
  const { threads } = await client.call("websocket.threads", {});
  const names = threads.map(({ thread: name, title }) => [name, title || name]);
  if (!names.some(([name]) => name === thread)) names.unshift([thread, "New conversation"]);
  at("threads").replaceChildren(
    ...names.map(([value, textContent]) => make("option", { value, textContent, selected: value === thread })),
  );
}

async function open(name) {
  const number = ++opened;
  await stop();
  if (number !== opened) return; // another one was chosen meanwhile
  thread = localStorage.thread = name;
  log.replaceChildren();
  const { messages } = await client.call("websocket.history", { thread });
  if (number !== opened) return;
  let answer = null;
  for (const { role, content, sources, tools, cancelled, ...rest } of messages) {
    if (role === "user") add(make("article", { className: "user", textContent: content }));
    else if (role === "assistant") {
      answer = new Answer("websocket.retry", {});
      for (const tool of tools ?? []) answer.tools.append(make("span", { className: "tool", textContent: `${tool} ✓` }));
      if (sources?.length) answer.cite(sources);
      answer.text = content;
      answer.end(cancelled ? "Stopped." : "");
    } else if (role === "interrupt") {
      answer ??= new Answer("websocket.retry", {});
      answer.ask(rest);
      answer.end("");
    }
  }
  if (!messages.length) add(make("p", { className: "empty", textContent: "Ask something about the documents." }));
  log.scrollTop = log.scrollHeight;
  await conversations();
  at("message").focus();
}

async function forget() {
  if (!confirm("Delete this conversation?")) return;
  await stop(); // an answer that is still being written would be kept
  await client.call("websocket.forget", { thread });
  await open("default");
}

at("threads").onchange = () => open(at("threads").value).catch(report);
at("new").onclick = () => open(`c-${Date.now().toString(36)}`).catch(report);
at("delete").onclick = () => forget().catch(report);

// The connection.

function show(state) {
  at("state").className = state;
  at("state").textContent = state === "connected" ? state : state === "closed" ? "offline; reload the page" : `${state}…`;
}

show("connecting");
try {
  client = await connect(undefined, { clientId, onState: show });
  await open(thread);
} catch (error) {
  if (!client) show("closed");
  report(error);
}
