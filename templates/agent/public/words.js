// What went wrong, in words for whoever asked: what happened, and what to do about it.
import { AnswerTimeout, Interrupted, RemoteError, ResumeLost } from "/gsws.js";

const RESTARTED = "The server was restarted before this answer was complete.";

// Error name -> words. Whether it can be tried again is the server's to say (`retryable`), but for `MENDED`.
const WORDS = {
  model_unauthorized: "The model's provider does not accept the key of this service. Whoever runs it has to see to the key.",
  model_rate_limited: "The model's provider takes no more questions just now.",
  model_unavailable: "The model's provider cannot be reached just now.",
  model_timeout: "The answer took too long and was given up.",
  model_not_found: "The model that this service is set to does not exist. Whoever runs it has to choose another.",
  model_rejected: "The model's provider could not make sense of this request. Ask in other words, or in a new conversation.",
  context_too_long: "This conversation has become too long for the model. Begin a new one.",
  blocked: "The model's provider does not answer this. Ask in other words.",
  empty_answer: "The model gave no answer.",
  model_interrupted: "The model broke off in the middle of its answer.",
  budget_exceeded: "This answer would have cost more than it may. Ask for less at a time.",
  busy: "This conversation is still busy with another question, perhaps in another tab.",
  unknown_interrupt: "This was decided already, perhaps in another tab. Open the conversation again to see how it went on.",
  nothing_to_retry: "There is no question to answer again. Ask a new one.",
  step_limit: "The agent took more steps than it may. Ask for less at a time.",
  agent_error: "Something in the agent failed. The log of the server says what.",
  handler_error: "Something in the server failed. Its log says what.",
  reply_violation: "Something in the server failed. Its log says what.",
  too_many_requests: "That was more than may be asked at a time.",
  too_large: "That is too long to be sent. Shorten it.",
  schema_violation: "The server does not take this message as it is. Shorten it, or ask in other words.",
  unknown_event: "The server does not know how to do that.",
  unauthorized: "The server wants to know who you are. Connect again, with a token.",
  forbidden: "You are not allowed to do that.",
  timeout: "The answer took too long and was given up.",
  draining: RESTARTED,
  interrupted: RESTARTED,
};

// What is not to be repeated unchanged, for the server, but may work once whoever runs it has mended something.
const MENDED = new Set([
  "handler_error", "agent_error", "reply_violation", "model_unauthorized", "model_not_found", "unauthorized",
]);

/** `{text, again}` for what an answer ended with: what to say, and whether trying again makes sense. */
export function explain(error) {
  if (error instanceof RemoteError) {
    const wait = error.retryAfter === null ? "" : ` There is more in ${duration(error.retryAfter)}.`;
    if (error.error === "budget_exceeded" && wait) {
      return { text: `What you may ask in a day is used up.${wait}`, again: false };
    }
    return { text: (WORDS[error.error] ?? sentence(error.message)) + (wait && ` Wait ${duration(error.retryAfter)}.`), again: error.retryable || MENDED.has(error.error) };
  }
  if (error instanceof Interrupted) {
    if (error.reason === "superseded") return { text: "A newer question took the place of this one.", again: false };
    return { text: error.reason === "draining" ? RESTARTED : WORDS.timeout, again: true };
  }
  if (error instanceof ResumeLost) return { text: RESTARTED, again: true };
  if (error instanceof AnswerTimeout) return { text: "The server has not answered for a long time.", again: true };
  return { text: "The connection was lost before this answer was complete.", again: true };
}

function duration(milliseconds) {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
  for (const [size, name] of [[3600, "hour"], [60, "minute"]]) {
    if (seconds > size) return `${Math.ceil(seconds / size)} ${name}s`;
  }
  return seconds === 1 ? "a second" : `${seconds} seconds`;
}

function sentence(text) {
  const words = text.trim() || "that failed";
  return words[0].toUpperCase() + words.slice(1) + (/[.!?…]$/.test(words) ? "" : ".");
}
