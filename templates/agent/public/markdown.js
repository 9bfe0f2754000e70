// Markdown as nodes of the page. markdown-it (`vendor/`) reads it; only the elements below are made, each by its name,
// so no text ever becomes HTML, whoever wrote it. What is half written is shown as what it is about to be.
import "./vendor/markdown-it.umd.min.js";

const markdown = globalThis.markdownit({ linkify: true, breaks: true });
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false }); // `notes.md` is a file, not a site

const ELEMENTS = new Set(
  "p h1 h2 h3 h4 h5 h6 ul ol li blockquote table thead tbody tr th td strong em s a code br hr".split(" "),
);
const DEEPEST = 40; // elements in elements; a text may want ten thousand, which no page survives
// Quotations and lists so deep that the library would leave out what stands in them.
const TOO_DEEP = /^(?:[ \t]*(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]))){20}|^[ \t]{60,}(?:[-*+]|\d{1,9}[.)])[ \t]/m;
const LONGEST = 5000; // characters of a line that is looked at while it grows
const TASK = /^\[([ xX])\]\s+/;
const CITATION = /\[(\d{1,4}(?:,\s*\d{1,4})*)\]/;

/**
 * A text on the page that may still grow: of a long one only its last block is read again.
 *
 * Sources are what `[1]` stands for: `{id, source, title?}`.
 */
export class Text {
  #final = 0; // characters, and nodes, of blocks that nothing can change any more
  #nodes = 0;
  #references = {};

  constructor(element) {
    this.element = element;
  }

  grow(text, sources) {
    text = text.replace(/\r\n?/g, "\n");
    const rest = mended(text.slice(this.#final));
    if (TOO_DEEP.test(rest)) return this.end(text, sources);
    const tokens = markdown.parse(rest, this.#references);
    patch(this.element, built(tokens, sources), this.#nodes);
    const blocks = tokens.filter(({ level, nesting, map }) => level === 0 && nesting >= 0 && map);
    if (blocks.length < 2) return;
    this.#nodes += blocks.length - 1;
    for (let line = blocks.at(-1).map[0]; line > 0; line--) this.#final = text.indexOf("\n", this.#final) + 1;
  }

  end(text, sources) {
    patch(this.element, render(text, sources));
  }
}

/** The nodes of a whole text. */
export function render(text, sources = []) {
  if (TOO_DEEP.test(text)) return plain(text);
  return built(markdown.parse(text, {}), sources);
}

function plain(text) {
  const page = document.createDocumentFragment();
  page.append(make("p", { className: "plain" }, text));
  return page;
}

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** What a text is about to become: nothing that is taken back with the next word is shown. */
function mended(text) {
  const lines = text.split("\n");
  const last = lines.pop();
  const before = lines.at(-1) ?? "";
  if (isCode(lines)) return /^[ >]*[`~]+$/.test(last) ? lines.join("\n") : text;
  // The head of a table, until the line below it is whole.
  const begins = (line) => /^[ >]*\|/.test(line);
  if (/^[ >]*(?:\|[-:| ]*)?$/.test(last) && begins(before) && !begins(lines.at(-2) ?? "")) {
    return lines.slice(0, -1).join("\n");
  }
  if (begins(last) && !begins(before)) return lines.join("\n");
  // The beginning of a list, a heading, a line, a fence, a task, or of what makes a heading of the line before.
  const marker = /^[ >]*(?:(?:[-*+]|\d{1,9}[.)])\s+)?(?:[-*+=#_]+|\d{1,9}[.)]?|[`~]+[\w+-]*|\[[ xX]?\]?)?\s*$/;
  if (marker.test(last)) return lines.join("\n");
  lines.push(inline(last));
  return lines.join("\n");
}

function isCode(lines) {
  let fence = "";
  for (const line of lines) {
    const found = /^[ >]*(`{3,}|~{3,})/.exec(line)?.[1] ?? "";
    if (!fence) fence = found;
    else if (found.startsWith(fence)) fence = "";
  }
  return fence !== "";
}

/** A line without the beginning of a link or citation; what is emphasised or code is so to the end. */
function inline(line) {
  if (line.length > LONGEST) return line;
  line = line.replace(/!?\[[^\][]{0,300}(?:\](?:\([^()\s]{0,2000})?)?$/, "");
  const open = [];
  let code = "";
  for (const { 0: mark, index } of line.matchAll(/\\.|`+|\*{1,3}|__?|~~?/g)) {
    const isLast = index + mark.length === line.length;
    const before = line[index - 1] ?? " ";
    if (code) {
      if (mark === code) code = "";
      else if (isLast && mark[0] === "`") line = line.slice(0, index);
    } else if (mark[0] === "`") {
      if (isLast) line = line.slice(0, index);
      else code = mark;
    } else if (open.includes(mark) && before.trim()) open.length = open.lastIndexOf(mark);
    else if (isLast && mark[0] !== "\\") line = line.slice(0, index);
    else if (open.length < DEEPEST && line[index + mark.length]?.trim() && !/\w/.test(before)) open.push(mark);
  }
  if (!code) line = line.trimEnd();
  return line + code + open.filter((mark) => mark[0] !== "\\" && mark !== "~").reverse().join("");
}

function built(tokens, sources) {
  const page = document.createDocumentFragment();
  const open = [page];
  for (const token of tokens) {
    const parent = open.at(-1);
    if (token.type === "inline") parent.append(...inlined(token.children, sources, isItem(parent)));
    else if (token.hidden) {
      // the paragraph of a short list's item: its text stands in the item itself
    } else if (token.nesting === 1) open.push(begun(token, parent));
    else if (token.nesting === -1) open.pop();
    else if (token.type === "fence" || token.type === "code_block") parent.append(code(token));
    else if (token.type === "hr") parent.append(make("hr"));
    else parent.append(token.content);
  }
  return page;
}

function begun(token, parent) {
  // The page has the first two levels of headings.
  const tag = token.tag.replace(/^h(\d)$/, (_, level) => `h${Math.min(6, Number(level) + 2)}`);
  const element = make(ELEMENTS.has(tag) ? tag : "span");
  if (tag === "ol" && token.attrGet("start") !== null) element.start = token.attrGet("start");
  const align = /text-align:(left|right|center)/.exec(token.attrGet("style") ?? "");
  if (align) element.className = align[1];
  // What is wide scrolls by itself, for a keyboard too.
  parent.append(tag === "table" ? make("div", { className: "wide", tabIndex: 0 }, element) : element);
  return element;
}

function isItem(parent) {
  const item = parent.localName === "p" && parent === parent.parentNode.firstChild ? parent.parentNode : parent;
  return item.localName === "li";
}

function inlined(tokens, sources, inItem) {
  const line = document.createDocumentFragment();
  const open = [line];
  for (const [at, token] of tokens.entries()) {
    const parent = open.at(-1);
    if (token.type === "text") {
      const task = inItem && at === 0 ? TASK.exec(token.content) : null;
      if (task) parent.append(checkbox(task[1] !== " "), " ");
      parent.append(...cited(task ? token.content.slice(task[0].length) : token.content, sources));
    } else if (token.type === "code_inline") parent.append(make("code", {}, token.content));
    else if (token.type === "softbreak" || token.type === "hardbreak") parent.append(make("br"));
    else if (token.type === "image") parent.append(image(token));
    else if (token.type === "link_open") {
      open.push(link(token.attrGet("href")));
      parent.append(open.at(-1));
    } else if (token.nesting === 1) {
      const element = open.length > DEEPEST ? parent : make(ELEMENTS.has(token.tag) ? token.tag : "span");
      open.push(element);
      if (element !== parent) parent.append(element);
    } else if (token.nesting === -1) open.pop();
    else parent.append(token.content);
  }
  return line.childNodes;
}

function link(address) {
  if (!/^(?:https?|mailto):/i.test(address)) return make("span"); // a path here means nothing to the reader
  return make("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" });
}

/** Nothing is fetched because a text says so: a picture is a link to it, unless it is in the text itself. */
function image(token) {
  const address = token.attrGet("src");
  const alt = token.content;
  if (/^data:image\/(?:png|jpeg|gif|webp);/i.test(address)) return make("img", { src: address, alt });
  const shown = link(address);
  shown.append(alt || address);
  return shown;
}

function checkbox(checked) {
  const box = make("input", { type: "checkbox", disabled: true });
  box.toggleAttribute("checked", checked);
  box.setAttribute("aria-label", checked ? "done" : "to do");
  return box;
}

function code({ content, info }) {
  const language = /^[\w+#.-]{1,20}/.exec(info ?? "")?.[0] ?? "";
  const what = make("span", { className: "unseen" }, ` ${language || "code"}`);
  const copy = make("button", { type: "button", className: "copy" }, "Copy", what);
  const head = make("div", { className: "head" }, make("span", {}, language), copy);
  return make("div", { className: "code" }, head, make("pre", { tabIndex: 0 }, make("code", {}, content)));
}

function cited(text, sources) {
  const found = [];
  for (let match; (match = CITATION.exec(text)); text = text.slice(match.index + match[0].length)) {
    const known = match[1].split(",").map((number) => sources.find(({ id }) => id === Number(number)));
    found.push(text.slice(0, match.index));
    if (known.includes(undefined)) found.push(match[0]);
    else {
      for (const { id, source, title } of known) {
        const mark = make("button", { type: "button", className: "cite", title: title ?? source, value: id }, String(id));
        mark.setAttribute("aria-label", `Source ${id}`);
        found.push(mark);
      }
    }
  }
  found.push(text);
  return found.filter((one) => one !== "");
}

/** Make nodes equal to others and keep those that are: what is selected, scrolled or focused stays so. */
export function patch(old, fresh, from = 0) {
  let at = old.childNodes[from] ?? null;
  for (const next of [...fresh.childNodes]) {
    if (!at) old.append(next);
    else if (at.nodeType === Node.TEXT_NODE && next.nodeType === Node.TEXT_NODE) {
      if (next.data.startsWith(at.data)) at.appendData(next.data.slice(at.data.length));
      else at.data = next.data;
      at = at.nextSibling;
    } else if (isLike(at, next)) {
      patch(at, next);
      at = at.nextSibling;
    } else {
      at.replaceWith(next);
      at = next.nextSibling;
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function isLike(one, other) {
  return one.nodeName === other.nodeName && one.nodeType === Node.ELEMENT_NODE
    && one.attributes.length === other.attributes.length
    && [...other.attributes].every(({ name, value }) => one.getAttribute(name) === value);
}
