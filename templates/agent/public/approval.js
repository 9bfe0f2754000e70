// What the agent asks a person before it goes on: LangChain's reviews of actions, and questions of any other shape.
import { make, render } from "./markdown.js";

/**
 * A question on the page.
 *
 * `decide` is called with what to answer, or with undefined once that is taken back. An action's review is answered
 * in LangChain's shape, `{decisions: [...]}`. Any other question is answered with the text that was typed, "yes" for
 * *Approve* and false for *Reject*: code that says `if answer` or `answer == "yes"` takes neither for the other.
 */
export function question(value, decide) {
  if (value?.type === "tool_approval") {
    return action(value, ["approve", "reject"], decide);
  }
  if (!Array.isArray(value?.action_requests) || !value.action_requests.length) return open(value, decide);
  const decisions = value.action_requests.map(() => undefined);
  const cards = value.action_requests.map((request, at) => {
    const review = value.review_configs?.find(({ action_name: name }) => name === request.name);
    return action(request, review?.allowed_decisions ?? ["approve", "reject"], (decision) => {
      decisions[at] = decision;
      decide(decisions.includes(undefined) ? undefined : { decisions });
    });
  });
  return make("div", {}, ...cards);
}

/** No more can be decided: it was, or the conversation went on without. */
export function close(element) {
  for (const card of element.matches(".approval") ? [element] : element.querySelectorAll(".approval")) {
    for (const area of card.querySelectorAll("dd textarea")) area.replaceWith(area.value);
    for (const part of card.querySelectorAll(":scope > :is(.row, label, p.failed), .verdict button")) part.remove();
    if (!card.querySelector(".verdict")) card.append(make("p", { className: "verdict" }, "Not answered."));
  }
}

function action(request, allowed, decide) {
  const args = Object.entries(request.args ?? {});
  const table = make("dl", { tabIndex: 0 }, ...args.flatMap(([name, value]) => [
    make("dt", {}, name), make("dd", {}, typeof value === "string" ? value : JSON.stringify(value, null, 2)),
  ]));
  const title = make("p", { className: "title" }, "The agent wants to run ", make("code", {}, request.name));
  const about = request.description ?? "";
  // LangChain's own description only repeats what stands in the table.
  const description = about.startsWith("Tool execution requires approval") ? "" : render(about);
  const { card, buttons, settle } = frame(request.name, decide, title, description, args.length ? table : "");

  const trouble = make("p", { className: "failed" });
  const fields = new Map(); // of the arguments, once they are edited: name -> `{area, isText}`
  const approve = button("Approve", "good", () => {
    if (!fields.size) return settle({ type: "approve" }, "Approved");
    const changed = { ...request.args };
    try {
      for (const [name, { area, isText }] of fields) changed[name] = isText ? area.value : JSON.parse(area.value);
    } catch {
      trouble.textContent = "What is not text has to be JSON: a number, true, false, null, a list or an object.";
      return;
    }
    settle({ type: "edit", edited_action: { name: request.name, args: changed } }, "Approved as changed");
  });
  if (allowed.includes("approve")) buttons.append(approve);
  const why = allowed.includes("respond") ? "Reply" : allowed.includes("reject") ? "Reason to reject (optional)" : "";
  const reply = why ? field(why) : null;
  if (allowed.includes("reject")) {
    buttons.append(button("Reject", "", () => {
      const message = reply.area.value.trim();
      settle(message ? { type: "reject", message } : { type: "reject" }, "Rejected");
    }));
  }
  if (allowed.includes("respond")) {
    const respond = button("Answer in its place", "", () => {
      settle({ type: "respond", message: reply.area.value.trim() }, "Answered in its place");
    });
    respond.disabled = true;
    reply.area.addEventListener("input", () => { respond.disabled = !reply.area.value.trim(); });
    buttons.append(respond);
  }
  if (allowed.includes("edit") && args.length) {
    const edit = button("Edit", "", () => {
      for (const [at, [name, value]] of args.entries()) {
        const isText = typeof value === "string";
        const { area } = field(name, isText ? value : JSON.stringify(value, null, 2));
        area.setAttribute("aria-label", name);
        fields.set(name, { area, isText });
        table.querySelectorAll("dd")[at].replaceChildren(area);
      }
      edit.remove();
      buttons.prepend(approve);
      table.querySelector("textarea").focus();
    });
    buttons.append(edit);
  }
  if (reply) buttons.before(reply.label);
  buttons.before(trouble);
  return card;
}

function open(value, decide) {
  const { text, rest } = said(value);
  const details = rest ? make("pre", { tabIndex: 0 }, make("code", {}, rest)) : "";
  const { card, buttons, settle } = frame("question", decide, make("div", { className: "title" }, render(text)), details);
  const { label, area } = field("Your answer");
  const answer = button("Answer", "", () => settle(area.value.trim(), `Answered: ${area.value.trim()}`));
  const approve = button("Approve", "good", () => settle("yes", "Approved"));
  const reject = button("Reject", "", () => settle(false, "Rejected"));
  // A text that was typed is the answer; nothing else may be sent in its place.
  const show = () => {
    const isTyped = area.value.trim() !== "";
    answer.disabled = !isTyped;
    approve.disabled = reject.disabled = isTyped;
  };
  area.addEventListener("input", show);
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    if (!answer.disabled) answer.click();
  });
  show();
  buttons.before(label);
  buttons.append(approve, reject, answer);
  return card;
}

/** The words of a question, and what else it says. */
function said(value) {
  if (typeof value === "string") return { text: value, rest: "" };
  for (const name of ["question", "message", "description", "text"]) {
    if (typeof value?.[name] !== "string") continue;
    const { [name]: text, ...others } = value;
    return { text, rest: Object.keys(others).length ? JSON.stringify(others, null, 2) : "" };
  }
  return { text: "The agent asks you to decide:", rest: JSON.stringify(value, null, 2) };
}

/** A card with a line of buttons, and what replaces them once it is decided. */
function frame(name, decide, ...content) {
  const buttons = make("div", { className: "row" });
  const card = make("section", { className: "approval" }, ...content, buttons);
  card.setAttribute("role", "group");
  card.setAttribute("aria-label", `Decision: ${name}`);
  const settle = (decision, words) => {
    const change = button("Change", "", () => {
      verdict.replaceWith(...hidden);
      decide(undefined);
    });
    const hidden = [...card.querySelectorAll(":scope > :is(.row, label, p.failed)")];
    const verdict = make("p", { className: "verdict" }, `${words}. `, change);
    buttons.before(verdict);
    for (const part of hidden) part.remove();
    change.focus();
    decide(decision);
  };
  return { card, buttons, settle };
}

function field(name, value = "") {
  const area = make("textarea", { rows: 1, value });
  return { area, label: make("label", {}, name, area) };
}

function button(name, kind, onclick) {
  return make("button", { type: "button", className: kind, onclick }, name);
}
