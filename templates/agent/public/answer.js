// One answer on the page, made frame by frame: what led to it, its text, its sources, what it asks, how it ended.
import { close, question } from "./approval.js";
import { Text, make, render } from "./markdown.js";

export class Answer {
  #text;
  #frame;
  #calls = new Map();
  #questions = new Map();
  #reasoning = null;

  /**
   * @param {HTMLElement} log Where it is appended.
   * @param {{again: () => void, decide: (answers: object) => void}} actions What *Try again* and decisions do.
   */
  constructor(log, actions) {
    this.log = log;
    this.actions = actions;
    this.text = "";
    this.sources = [];
    this.before = make("div", { className: "before" });
    this.body = make("div", { className: "body" });
    this.after = make("div", { className: "after" });
    this.element = make("article", { className: "agent" }, this.before, this.body, this.after);
    this.element.setAttribute("aria-label", "Answer");
    this.#text = new Text(this.body);
    this.#busy(true);
    add(log, this.element);
  }

  take({ eventtype, payload }) {
    if (eventtype === "stream.chunk") this.#write(payload.message);
    else if (eventtype === "stream.snapshot") this.#write(payload.message, true);
    else if (eventtype === "tool.call") this.#calls.set(payload.id, this.#tool(payload.name, payload.args));
    else if (eventtype === "tool.result") this.#calls.get(payload.id)?.end("done", payload.content, payload.ms);
    else if (eventtype === "tool.error") this.#calls.get(payload.id)?.end("failed", "That failed.");
    else if (eventtype === "sources") this.cite(payload.sources);
    else if (eventtype === "reasoning") this.#reason(payload.message);
    else if (eventtype === "interrupt") this.ask(payload);
  }

  /** An answer that was given before, as `history` has it. */
  recall({ content, tools, sources }) {
    for (const name of tools ?? []) this.#tool(name, {}).end("done", "");
    if (sources?.length) this.cite(sources);
    this.text = content;
  }

  cite(sources) {
    this.sources = [...this.sources, ...sources]; // a turn that searches again goes on counting
    this.#list();
  }

  /** The sources, those first that the answer cites once it has ended. */
  #list() {
    const marks = this.isBusy ? [] : [...this.body.querySelectorAll(".cite")];
    const cited = new Set(marks.map(({ value }) => Number(value)));
    const sorted = [...this.sources].sort((one, other) => cited.has(other.id) - cited.has(one.id));
    const entries = sorted.map(({ id, source, title, text, url }) => {
      const name = make("summary", {}, make("b", {}, String(id)), ` ${title ?? source}`);
      if (title && title !== source) name.append(make("small", {}, ` ${source}`));
      const passage = make("blockquote", {}, render(text ?? ""));
      if (/^https?:\/\//i.test(url ?? "")) {
        passage.append(make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, "Open the document"));
      }
      return make("li", { value: id }, make("details", {}, name, passage));
    });
    const all = entries.length === 1 ? "1 source" : `${entries.length} sources`;
    const count = cited.size && cited.size < entries.length ? `${cited.size} cited, ${entries.length} found` : all;
    const list = make("details", { className: "sources" }, make("summary", {}, count), make("ul", {}, ...entries));
    list.open = this.list?.open ?? false;
    this.list?.remove();
    this.list = list;
    this.after.prepend(list);
  }

  /** Open the passage that a number in the answer stands for. */
  show(id) {
    const entry = this.list?.querySelector(`li[value="${CSS.escape(id)}"] details`);
    if (!entry) return;
    this.list.open = entry.open = true;
    entry.scrollIntoView({ block: "nearest" });
    entry.querySelector("summary").focus();
  }

  ask({ id, value }) {
    const element = question(value, (answer) => {
      this.#questions.get(id).answer = answer;
      this.settle();
    });
    this.#questions.set(id, { element, answer: undefined });
    add(this.log, element, this.after);
  }

  /** Whether it waits for a person. */
  get asks() {
    return [...this.#questions.values()].map(({ element }) => element.innerText).join("\n");
  }

  /** Nothing more can be decided or tried again here. */
  close() {
    const questions = [...this.#questions.values()];
    for (const { element } of questions) close(element);
    const isDecided = questions.every(({ answer }) => answer !== undefined);
    if (questions.length) for (const call of this.#calls.values()) call.end(isDecided ? "done" : "failed");
    this.after.querySelector(".outcome button")?.remove();
  }

  note(text) {
    this.hint?.remove();
    this.hint = text ? make("p", { className: "outcome" }, text) : null;
    if (this.hint) add(this.log, this.hint, this.after);
  }

  end(outcome = "", { failed = false, again = false } = {}) {
    cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
    this.note("");
    this.#busy(false);
    for (const call of this.#calls.values()) call.end("left");
    follow(this.log, () => {
      this.#text.end(this.text, this.sources);
      if (this.sources.length) this.#list();
      if (this.text) {
        const copy = make("button", { type: "button", className: "copy" }, "Copy answer");
        this.after.prepend(make("div", { className: "tools" }, copy));
      }
      if (!outcome) return;
      const line = make("p", { className: failed ? "outcome failed" : "outcome" }, outcome);
      if (again) line.append(" ", make("button", { type: "button", onclick: () => this.actions.again() }, "Try again"));
      this.after.append(line);
    });
  }

  /** Go on if all that was asked is decided. */
  settle() {
    const questions = [...this.#questions];
    if (this.isBusy || !questions.length || questions.some(([, { answer }]) => answer === undefined)) return;
    this.actions.decide(Object.fromEntries(questions.map(([id, { answer }]) => [id, answer])));
  }

  #busy(is) {
    this.isBusy = is;
    this.element.setAttribute("aria-busy", String(is));
    this.element.classList.toggle("waiting", is && !this.text);
    this.body.classList.toggle("growing", is && Boolean(this.text));
  }

  #write(text, anew = false) {
    this.text = anew ? text : this.text + text;
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      follow(this.log, () => this.#text.grow(this.text, this.sources));
      this.#busy(true);
    });
  }

  #reason(text) {
    if (!this.#reasoning) {
      this.#reasoning = make("p");
      this.before.append(make("details", { className: "step" }, make("summary", {}, "Thoughts"), this.#reasoning));
    }
    follow(this.log, () => this.#reasoning.append(text));
  }

  #tool(name, args) {
    const short = Object.values(args ?? {}).filter((value) => typeof value === "string").join(", ");
    const summary = make("summary", {}, make("b", {}, name), short ? ` ${short}` : "");
    const step = make("details", { className: "step running" }, summary);
    const has = Object.keys(args ?? {}).length;
    if (has) step.append(make("pre", { tabIndex: 0 }, make("code", {}, JSON.stringify(args, null, 2))));
    add(this.log, step, this.before);
    const end = (state, content, ms) => {
      // One that was left when its turn stopped to ask ends once that is decided.
      if (!["running", "left"].some((before) => step.classList.replace(before, state))) return;
      summary.append(make("span", { className: "unseen" }, state === "failed" ? " failed" : state === "done" ? " done" : ""));
      if (ms >= 1000) summary.append(make("small", {}, ` ${(ms / 1000).toFixed(1)} s`));
      if (content) step.append(make("pre", { tabIndex: 0 }, make("code", {}, content)));
    };
    return { end };
  }
}

/** Append to the log, or to a part of it. */
export function add(log, element, parent = log) {
  follow(log, () => parent.append(element));
  return element;
}

/** Change what is in the log; whoever is at its end stays there. */
export function follow(log, change) {
  const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  change();
  if (follows) log.scrollTop = log.scrollHeight;
}
