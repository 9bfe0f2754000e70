// The part of Markdown that answers use, as DOM nodes: text never becomes HTML, so a document cannot put a script here.

// A model may be talked into anything: what would take the page's time or its stack is shown as it is.
const DEEPEST = 8;
const LONGEST = 10000;

const INLINE = /(`+)(.+?)\1|\*\*(.+?)\*\*|\*(\S(?:.*?\S)?)\*|\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)|\[(\d+(?:,\s*\d+)*)\]/;

/**
 * @param {string} text Markdown, perhaps not yet complete.
 * @param {any[]} sources What `[1]` stands for: `{id, source, title?}`.
 * @param {number} depth How many quotations it stands in.
 */
export function render(text, sources = [], depth = 0) {
  const page = document.createDocumentFragment();
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; ) {
    const line = lines[at];
    const fence = /^\s*(```+|~~~+)/.exec(line)?.[1];
    if (fence) {
      const end = lines.findIndex((other, index) => index > at && other.trim().startsWith(fence));
      const code = node("code");
      code.textContent = lines.slice(at + 1, end < 0 ? undefined : end).join("\n");
      page.append(node("pre", code));
      at = end < 0 ? lines.length : end + 1;
    } else if (!line.trim()) {
      at++;
    } else if (/^#{1,6}\s/.test(line)) {
      page.append(node(`h${Math.min(4, line.indexOf(" ") + 1)}`, ...inline(line.replace(/^#+\s+/, ""), sources)));
      at++;
    } else if (depth < DEEPEST && /^\s*>/.test(line)) {
      const quoted = block(lines, at, (other) => /^\s*>/.test(other));
      const inner = quoted.map((one) => one.replace(/^\s*>\s?/, "")).join("\n");
      page.append(node("blockquote", render(inner, sources, depth + 1)));
      at += quoted.length;
    } else if (/^\s*([-*+]|\d+[.)])\s/.test(line)) {
      const ordered = /^\s*\d/.test(line);
      const items = block(lines, at, (other) => /^\s*([-*+]|\d+[.)])\s/.test(other) || /^\s+\S/.test(other));
      const list = node(ordered ? "ol" : "ul");
      for (const item of items) {
        const found = /^\s*(?:[-*+]|\d+[.)])\s+(.*)/.exec(item);
        if (found) list.append(node("li", ...inline(found[1], sources)));
        else list.lastChild.append(" ", ...inline(item.trim(), sources));
      }
      page.append(list);
      at += items.length;
    } else {
      const words = block(lines, at, (other) => other.trim() && !/^\s*(```|~~~|>|#{1,6}\s|([-*+]|\d+[.)])\s)/.test(other));
      page.append(node("p", ...inline(words.join("\n"), sources)));
      at += words.length;
    }
  }
  return page;
}

function block(lines, from, belongs) {
  let to = from + 1;
  while (to < lines.length && belongs(lines[to])) to++;
  return lines.slice(from, to);
}

function inline(text, sources) {
  const found = [];
  if (text.length > LONGEST) return [text];
  for (let match; (match = INLINE.exec(text)); text = text.slice(match.index + match[0].length)) {
    found.push(text.slice(0, match.index));
    const [all, , code, strong, emphasis, label, address, cited] = match;
    if (code) found.push(node("code", code));
    else if (strong) found.push(node("strong", ...inline(strong, sources)));
    else if (emphasis) found.push(node("em", ...inline(emphasis, sources)));
    else if (address) {
      const link = node("a", label);
      Object.assign(link, { href: address, target: "_blank", rel: "noopener noreferrer" });
      found.push(link);
    } else found.push(...citations(all, cited, sources));
  }
  found.push(text);
  return found;
}

function citations(all, cited, sources) {
  const numbers = cited.split(",").map(Number);
  const known = numbers.map((number) => sources.find(({ id }) => id === number));
  if (known.includes(undefined)) return [all];
  return known.map(({ id, source, title }) => {
    const mark = node("a", `[${id}]`);
    Object.assign(mark, { className: "cite", title: title ? `${title} — ${source}` : source, tabIndex: 0 });
    mark.setAttribute("role", "button");
    const show = () => {
      const details = mark.closest("article").querySelector("details.sources");
      if (!details) return;
      details.open = true;
      details.querySelector(`li[value="${id}"]`)?.scrollIntoView({ block: "nearest" });
    };
    mark.onclick = show;
    mark.onkeydown = (event) => event.key === "Enter" && show();
    return mark;
  });
}

function node(tag, ...children) {
  const element = document.createElement(tag);
  element.append(...children);
  return element;
}
