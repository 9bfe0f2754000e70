// The chat page: one connection that repairs itself, one answer at a time in a conversation, which outlives the page.
// An answer is in `answer.js`, what it asks in `approval.js`, Markdown in `markdown.js`, errors in `words.js`, what
// browsers have in `browser.js`; the wire is in `/gsws.js`, which gsws serves. No text becomes HTML, and nothing is
// asked of another host.
import { RemoteError, connect } from "/gsws.js";
import { Answer, add } from "./answer.js";
import { copied, hex, stored } from "./browser.js";
import { make, patch } from "./markdown.js";
import { explain } from "./words.js";

const at = (id) => document.getElementById(id);
const log = at("log");
const name = document.title;
const answers = new WeakMap(); // by their elements
const labels = new WeakMap(); // of buttons that say something else for a moment
const STOPPED = "You stopped this answer.";
const INTERRUPTED = "This answer was interrupted.";
const CUT = "The answer ends here: it is as long as the model may write.";

const remembered = stored(() => localStorage); // the conversation that is open, and who one is without a token
const forTheTab = stored(() => sessionStorage); // the token

// Without authentication, the label is who one is: the same in this browser until its storage is cleared.
const clientId = (remembered.me ??= `page-${hex(4)}`);
let thread = remembered.thread ?? "default";
let client = null;
let answer = null; // the last one of the conversation that is shown
let opened = 0;
const turns = new Map(); // conversation -> `{stream, answer, isStopped, ended}` of the answer that it waits for
const aside = new Map(); // conversation -> `{nodes, answer}` of one that was left while it was being answered
const stopped = new Set(); // `place()` of the answers that were stopped here; the server tells only that they ended

// Asking.

function run(event, payload, sources = []) {
  if (turns.has(thread) || !client) return;
  const turn = { stream: null, answer: null, isStopped: false };
  turns.set(thread, turn);
  turn.ended = stream(turn, event, payload, sources).catch(report);
}

async function stream(turn, event, payload, sources) {
  const one = thread; // another one may be shown before this ends
  const here = place(one, log.querySelectorAll("article.user").length);
  stopped.delete(here);
  let isKept = false; // whether the question is in the conversation
  let isLost = false; // whether the server that had it is gone
  const mine = begin(() => {
    if (isLost) return recover(event, payload, sources);
    return isKept ? run("websocket.retry", {}) : run(event, payload, sources);
  });
  turn.answer = mine;
  if (sources.length) mine.cite(sources); // of the same turn, before it stopped to ask
  try {
    // The answer goes on while the connection is repaired; ten minutes without a frame is the end.
    turn.stream = client.stream(event, { ...payload, thread }, { timeout: 600000 });
    busy();
    for await (const frame of turn.stream.frames()) {
      isKept ||= frame.eventtype === "stream.start";
      mine.take(frame);
    }
    const isCancelled = turn.stream.reason === "cancelled";
    const isCut = turn.stream.result.finish_reason === "length";
    if (isCancelled && turn.isStopped) stopped.add(here);
    mine.end(isCancelled ? ending(here) : isCut ? CUT : "", { again: isCancelled });
    if (one === thread) say(mine.text || mine.asks || "The answer was stopped.");
  } catch (error) {
    const { text, again } = explain(error);
    isLost = isKept || !(error instanceof RemoteError) || error.error === "interrupted";
    mine.end(text, { failed: true, again });
    if (one === thread) say(text);
  } finally {
    turns.delete(one);
    if (one === thread) busy();
  }
  mine.settle(); // what was decided before the turn had ended
  await conversations();
}

/** Where an answer stands: after which of a conversation's questions. */
const place = (one, questions) => `${questions} ${one}`;
const ending = (here) => (stopped.has(here) ? STOPPED : INTERRUPTED);

/** What failed has kept the question, or what was decided, or neither: look, and send what the server lacks. */
async function recover(event, payload, sources) {
  const one = thread;
  const { messages } = await client.call("websocket.history", { thread });
  if (one !== thread) return;
  const asked = messages.findLast(({ role }) => role === "user")?.content;
  const waits = messages.some(({ role, id }) => role === "interrupt" && id in (payload.answers ?? {}));
  if (event === "websocket.stream" ? asked !== payload.message : waits) run(event, payload, sources);
  else run("websocket.retry", {});
}

function begin(again) {
  const mine = new Answer(log, {
    again() {
      if (turns.has(thread) || !client) return;
      mine.element.remove();
      Promise.resolve(again()).catch(report);
    },
    decide: (decisions) => decide(mine, decisions),
  });
  answers.set(mine.element, mine);
  return (answer = mine);
}

function decide(mine, answers) {
  if (turns.has(thread) || !client || mine !== answer) return;
  mine.close();
  run("websocket.resume", { answers }, mine.sources);
}

/** Show whether the conversation that is shown waits for an answer. */
function busy() {
  const is = turns.has(thread);
  const isStopping = Boolean(turns.get(thread)?.isStopped);
  // Whoever reads elsewhere meanwhile is left there; a button that is gone has no focus.
  const moves = [document.body, at("stop"), at("send"), null].includes(document.activeElement);
  at("send").hidden = is;
  Object.assign(at("stop"), { hidden: !is, disabled: isStopping });
  at("stop").querySelector("span").textContent = isStopping ? "Stopping…" : "Stop";
  at("hint").textContent = is ? "Escape stops the answer" : "Enter sends, Shift+Enter begins a new line";
  if (moves || document.activeElement?.closest(".approval :disabled")) at("message").focus();
}

function send(message) {
  if (!message || turns.has(thread) || !client) return;
  log.querySelector(".empty")?.remove();
  answer?.close();
  log.append(asked(message));
  log.scrollTop = log.scrollHeight;
  run("websocket.stream", { message });
}

function asked(message) {
  const element = make("article", { className: "user" }, message);
  element.setAttribute("aria-label", "Question");
  return element;
}

function stop() {
  const turn = turns.get(thread);
  if (!turn?.stream) return;
  turn.isStopped = true;
  turn.stream.cancel();
  busy();
}

/** Tell whoever does not see the page; once an answer, not once a word. */
function say(text) {
  at("said").textContent = text.slice(0, 3000);
}

function report(error) {
  if (!client) return; // the connection is being made anew, and says so
  const { text } = explain(error);
  add(log, make("p", { className: "outcome failed" }, text));
  say(text);
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const message = at("message").value.trim();
  if (!message || turns.has(thread) || !client) return;
  at("message").value = "";
  send(message);
});
at("message").addEventListener("keydown", (event) => {
  // The Enter that ends a composition belongs to it; some browsers tell only by its code.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  at("form").requestSubmit();
});
at("stop").addEventListener("click", stop);
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing || at("sure").open) return;
  if (menu()) menu(false);
  else stop();
});
// What a conversation says is kept when its answer ends.
addEventListener("pagehide", () => { for (const turn of turns.values()) turn.stream?.cancel(); });

// Reading.

log.addEventListener("click", async ({ target }) => {
  const button = target.closest("button");
  if (button?.className === "cite") answerOf(button)?.show(button.value);
  if (button?.className !== "copy") return;
  if (!labels.has(button)) labels.set(button, [...button.childNodes]);
  const text = button.closest(".code")?.querySelector("pre").textContent ?? answerOf(button)?.text ?? "";
  button.textContent = (await copied(text)) ? "Copied" : "Not copied";
  say(button.textContent);
  setTimeout(() => button.replaceChildren(...labels.get(button)), 2000);
});

const answerOf = (element) => answers.get(element.closest("article"));

const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 80;
const watch = () => { at("end").hidden = isAtEnd(); };
log.addEventListener("scroll", watch, { passive: true });
new ResizeObserver(watch).observe(log);
at("end").addEventListener("click", () => {
  log.scrollTop = log.scrollHeight;
  at("message").focus();
});

// Conversations.

async function conversations() {
  const { threads } = await client.call("websocket.threads", {});
  const known = threads.filter((one) => one.thread !== null).map((one) => [one.thread, one.title || one.thread]);
  for (const [one, { nodes }] of aside) {
    const asked = nodes.find((node) => node.className === "user")?.textContent;
    if (asked && !known.some(([other]) => other === one)) known.unshift([one, asked]);
  }
  if (!known.some(([one]) => one === thread)) known.unshift([thread, "New conversation"]);
  const focused = document.activeElement?.closest("#threads li")?.dataset.thread;
  const items = known.map(([one, title]) => {
    const show = make("button", { type: "button", className: "thread", title }, title);
    const remove = make("button", { type: "button", className: "remove", title: "Delete" }, "×");
    remove.setAttribute("aria-label", `Delete “${title}”`);
    if (one === thread) show.setAttribute("aria-current", "true");
    if (one !== thread && turns.has(one)) show.append(make("small", {}, " is being answered"));
    const item = make("li", {}, show, remove);
    item.dataset.thread = one;
    return item;
  });
  patch(at("threads"), make("ul", {}, ...items)); // one that stays can be clicked all the while
  if (focused !== undefined) at("threads").querySelector(`[data-thread="${CSS.escape(focused)}"] button`)?.focus();
  const title = known.find(([one]) => one === thread)[1];
  document.title = title === "New conversation" ? name : `${title} — ${name}`;
}

async function open(one) {
  const number = ++opened;
  if (turns.has(thread)) aside.set(thread, { nodes: [...log.childNodes], answer }); // it goes on meanwhile
  const kept = aside.get(one);
  aside.delete(one);
  thread = remembered.thread = one;
  answer = kept?.answer ?? null;
  log.replaceChildren(...(kept?.nodes ?? []));
  busy();
  if (!kept) {
    const { messages } = await client.call("websocket.history", { thread });
    if (number !== opened) return; // another one was chosen meanwhile
    show(messages);
    if (!messages.length) await welcome(number);
  }
  log.scrollTop = log.scrollHeight;
  answer?.settle(); // what was decided before it was left
  await conversations();
}

function show(messages) {
  let last = null;
  let isCancelled = false;
  let questions = 0;
  const words = () => (isCancelled ? ending(place(thread, questions)) : "");
  const next = () => {
    last?.end(words());
    isCancelled = false;
    last = begin(() => run("websocket.retry", {}));
  };
  for (const { role, content, cancelled, ...rest } of messages) {
    if (role === "user") {
      last?.end(words());
      last = null;
      questions++;
      log.append(asked(content));
    } else if (role === "assistant") {
      next();
      last.recall({ content, ...rest });
      isCancelled = Boolean(cancelled);
    } else if (role === "interrupt") {
      if (!last) next();
      last.ask(rest);
    }
  }
  last?.end(words(), { again: isCancelled });
}

/** An empty page offers questions that the documents answer: `agent.suggestions` in `config/`. */
async function welcome(number) {
  const none = { suggestions: [] }; // of a project that has no such event
  const { suggestions } = await client.call("websocket.suggestions", {}).catch(() => none);
  if (number !== opened || turns.has(thread)) return;
  const buttons = suggestions.map((text) => make("button", { type: "button", onclick: () => send(text) }, text));
  const list = make("div", { className: "suggestions" }, ...buttons);
  log.append(make("div", { className: "empty" }, make("h2", {}, "What would you like to know?"), list));
}

function choose(one) {
  menu(false);
  at("message").focus();
  open(one).catch(report);
}

async function forget(one, title) {
  at("what").textContent = `Delete “${title}”?`;
  at("sure").returnValue = "";
  at("sure").showModal();
  await new Promise((resolve) => at("sure").addEventListener("close", resolve, { once: true }));
  if (at("sure").returnValue !== "delete") return;
  const turn = turns.get(one);
  turn?.stream?.cancel();
  await turn?.ended; // an answer that is still being written would be kept
  aside.delete(one);
  await client.call("websocket.forget", { thread: one });
  say("Deleted.");
  if (one === thread) await open("default");
  else await conversations();
  at("message").focus();
}

at("new").addEventListener("click", () => choose(`c-${Date.now().toString(36)}`));
at("menu").addEventListener("click", () => menu(!menu()));
at("threads").addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  const one = button?.closest("li").dataset.thread;
  if (button?.className === "thread") choose(one);
  else if (button) forget(one, button.previousSibling.title).catch(report);
});
at("threads").addEventListener("keydown", (event) => {
  const items = [...at("threads").children];
  const from = items.findIndex((item) => item.contains(document.activeElement));
  const to = { ArrowDown: from + 1, ArrowUp: from - 1, Home: 0, End: items.length - 1 }[event.key];
  if (event.key === "Delete") items[from]?.querySelector(".remove").click();
  if (to === undefined) return;
  event.preventDefault();
  items[Math.max(0, Math.min(to, items.length - 1))]?.querySelector(".thread").focus();
});

/** Whether the list covers a narrow page; with an argument, let it. */
function menu(is) {
  if (is !== undefined) at("menu").setAttribute("aria-expanded", String(is));
  return at("menu").getAttribute("aria-expanded") === "true";
}

// The connection.

let now = "connecting";
let doubt;
let accepted; // the token that the server took last

function state(is = now) {
  now = is;
  const shown = now !== "connected" && !navigator.onLine ? "offline" : now;
  at("state").className = shown;
  at("state").textContent = ["connected", "offline"].includes(shown) ? shown : `${shown}…`;
  clearTimeout(doubt);
  if (now === "connected") for (const turn of turns.values()) turn.answer.note("");
  if (now !== "reconnecting") return;
  for (const turn of turns.values()) {
    turn.answer.note("The connection was lost. The answer goes on by itself as soon as the server is back.");
  }
  doubt = setTimeout(() => wonder(0), 4000);
}

/** A browser is not told why a connection was refused. One that never comes though the server is there was. */
async function wonder(times) {
  const is = await isServing();
  if (now !== "reconnecting" || !client) return;
  if (is && times >= 3) refused("This server no longer lets the page in. If it asks for a token, enter a new one.");
  else doubt = setTimeout(() => wonder(is ? times + 1 : 0), 4000);
}

async function isServing() {
  try {
    const answered = await fetch("/readyz", { cache: "no-store", signal: AbortSignal.timeout(4000) });
    return answered.status < 500;
  } catch {
    return false;
  }
}

/** Connect, again and again until it works, and show the conversation. */
async function enter() {
  leave();
  at("entrance").hidden = true;
  at("form").hidden = false;
  state("connecting");
  for (let wait = 500; !client; wait = Math.min(2 * wait, 8000)) {
    let made = null;
    const onState = (is) => {
      if (is !== "closed") state(is);
      else if (made && made === client) setTimeout(enter, 1000); // for good, as when a token is over
    };
    const backoff = { cap: 5000, patience: Infinity };
    try {
      client = made = await connect(undefined, { clientId, token: forTheTab.token, onState, backoff });
    } catch {
      if (await isServing()) return refused(forTheTab.token ? unaccepted() : undefined);
      state("reconnecting");
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  accepted = forTheTab.token;
  at("leave").hidden = !forTheTab.token;
  await open(thread).catch(report);
  at("message").focus();
}

function unaccepted() {
  if (forTheTab.token === accepted) return "This token is no longer accepted. Enter a new one.";
  return "This token was not accepted. Check it, or enter another one.";
}

function leave() {
  const old = client;
  client = null;
  old?.close();
}

function refused(words = "This server does not let the page in. If it asks for a token, enter yours.") {
  leave();
  at("state").className = "offline";
  at("state").textContent = "not connected";
  at("refused").textContent = words;
  at("entrance").hidden = false;
  at("form").hidden = true;
  at("token").focus();
  say(words);
}

at("entrance").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = at("token").value.trim();
  if (token !== accepted) aside.clear(); // it may be another person's
  if (token) forTheTab.token = token;
  else delete forTheTab.token;
  at("token").value = "";
  enter();
});
at("leave").addEventListener("click", () => {
  delete forTheTab.token;
  at("leave").hidden = true;
  at("threads").replaceChildren();
  log.replaceChildren();
  aside.clear();
  refused("The token is forgotten. To go on, enter one.");
});
for (const event of ["online", "offline"]) addEventListener(event, () => state());

enter();
