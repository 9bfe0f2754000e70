// What browsers have, or have not: storage, the clipboard, chance.
import { make } from "./markdown.js";

/** A browser's storage, or an object of this page alone where there is none. */
export function stored(area) {
  try {
    return area();
  } catch {
    return {};
  }
}

/** Random bytes, as hexadecimal digits. */
export function hex(bytes) {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((one) => one.toString(16).padStart(2, "0")).join("");
}

/** Copy a text; whether that worked. */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Not over plain HTTP from another machine, nor without permission: as it was done before.
    const area = make("textarea", { value: text, className: "unseen" });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
