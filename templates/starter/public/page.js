// The client that gsws serves connects again by itself and goes on exactly where an answer was cut.
// Nobody has to use it: the README has ten lines of the browser's own WebSocket, which do neither.
import { ConnectionLost, connect } from "/gsws.js";

const at = (id) => document.getElementById(id);
const kept = stored(); // the token, in this tab until it is closed
let opening = null, stream = null, state = "closed";

function show(now = state) {
  state = now;
  const offline = state === "closed" || (state !== "connected" && !navigator.onLine);
  at("state").className = offline ? "offline" : state;
  at("state").textContent = offline ? "offline" : state === "connected" ? state : `${state}…`;
}

function open() {
  show("connecting");
  opening = connect(undefined, { clientId: "page", token: kept.token, onState: show });
  opening.then(letIn, refused);
  return opening;
}

function letIn() {
  const wasOut = !at("entrance").hidden;
  at("entrance").hidden = true;
  at("form").hidden = false;
  at("token").value = "";
  if (wasOut) at("message").focus();
}

async function refused() {
  show("closed");
  // A browser is not told why it was refused: if the server is there, it may want a token (`authn`).
  const isThere = await fetch("/readyz", { cache: "no-store" }).then(({ ok }) => ok, () => false);
  if (!isThere || state !== "closed") return;
  at("refused").textContent = kept.token
    ? "This token was not accepted. Check it, or enter another one."
    : "This server does not let the page in. If it asks for a token, enter yours.";
  at("form").hidden = true; // no token belongs into a message
  at("entrance").hidden = false;
  at("token").select();
  at("token").focus();
}

function stored() {
  try {
    return sessionStorage;
  } catch {
    return {}; // where the browser keeps nothing: in the memory of this page
  }
}

async function ask(message) {
  stream?.close();
  at("answer").textContent = at("outcome").textContent = "";
  let mine = null;
  try {
    const client = await (state === "closed" ? open() : opening);
    mine = stream = client.stream("websocket.stream", { message });
    at("stop").disabled = false;
    at("answer").setAttribute("aria-busy", "true"); // a screen reader waits for the whole answer
    for await (const chunk of mine) at("answer").append(chunk.text);
    at("outcome").textContent = mine.reason;
  } catch (error) {
    const isGone = error instanceof ConnectionLost;
    const words = isGone ? "the server cannot be reached, or does not let this page in" : error.message;
    if (mine === stream) at("outcome").textContent = `error: ${words}`;
  }
  if (mine !== stream) return; // a newer message took its place
  stream = null;
  at("stop").disabled = true;
  at("answer").setAttribute("aria-busy", "false");
}

at("form").onsubmit = (event) => {
  event.preventDefault();
  ask(at("message").value);
  at("message").select(); // what is typed next takes its place
};
addEventListener("keydown", ({ key, isComposing }) => {
  if (key === "Escape" && !isComposing) stream?.cancel();
});
at("stop").onclick = () => {
  stream?.cancel();
  at("message").focus();
};
at("entrance").onsubmit = (event) => {
  event.preventDefault();
  if (state !== "closed") return; // it is being tried
  const token = at("token").value.trim();
  if (token) kept.token = token;
  else delete kept.token;
  open();
};
addEventListener("online", () => show());
addEventListener("offline", () => show());
open();
