"""Markdown on the agent's page: what people know of it, what means harm, and how it looks while it is being written."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.available import ROOT, find_chromium
from tests.e2e.chromium import Page, open_page
from tests.e2e.serving import serve, write_project

PUBLIC = ROOT / "templates" / "agent" / "public"
VENDOR = PUBLIC / "vendor"

pytestmark = pytest.mark.timeout(180)

# What an answer may be made of; anything else would have come from its text.
ELEMENTS = {
    "a", "blockquote", "br", "button", "code", "div", "em", "h3", "h4", "h5", "h6", "hr", "img", "input", "li", "ol",
    "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip

RUN = "window.pwned=1"
HOSTILE = [
    f"<script>{RUN}</script>",
    f"<img src=x onerror='{RUN}'>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg/onload={RUN}>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={RUN}>",
    f'<iframe srcdoc="<script>parent.{RUN}</script>"></iframe>',
    f"<details open ontoggle={RUN}>x",
    f"<body onload={RUN}>",
    f"<input autofocus onfocus={RUN}>",
    f"<a href='javascript:{RUN}'>x</a>",
    "<form action='//evil.test'><button>x</button></form>",
    "<base href='//evil.test/'>",
    "<meta http-equiv=refresh content='0;url=//evil.test'>",
    "<link rel=stylesheet href='//evil.test/x.css'>",
    "<style>@import '//evil.test/x.css'; * { display: none }</style>",
    f"<!-- --><script>{RUN}</script>",
    f"<![CDATA[<script>{RUN}</script>]]>",
    f"[x](javascript:{RUN})",
    f"[x](JaVaScRiPt:{RUN})",
    f"[x](javascript&colon;{RUN})",
    f"[x](java&Tab;script:{RUN})",
    f"[x](\x01javascript:{RUN})",
    f"[x](<javascript:{RUN}>)",
    f"[x](  javascript:{RUN}  )",
    f"[x](vbscript:{RUN})",
    f"[x](data:text/html,<script>{RUN}</script>)",
    f"[x](data:text/html;base64,PHNjcmlwdD4{RUN})",
    "[x](file:///etc/passwd)",
    f"[x]: javascript:{RUN}\n\n[x]",
    f"<javascript:{RUN}>",
    f"[x](https://e.test/\"onmouseover=\"{RUN})",
    f"[x](https://e.test 'title\" onmouseover={RUN} x=\"')",
    f"![x](javascript:{RUN})",
    f"![x\" onerror=\"{RUN}](https://evil.test/pixel.png)",
    f"![x](https://evil.test/pixel.png 'a\" onload={RUN}')",
    f"![x](data:image/svg+xml,<svg onload={RUN}>)",
    "![x](//evil.test/pixel.png)",
    "![x](\\\\evil.test\\pixel.png)",
    f"`<img src=x onerror={RUN}>`",
    f"```html\n<img src=x onerror={RUN}>\n```",
    f"```\"><img src=x onerror={RUN}>\nx\n```",
    f"| a |\n|---|\n| <img src=x onerror={RUN}> |",
    f"| a |\n|:-:\" onclick={RUN}|\n| b |",
    f"# <img src=x onerror={RUN}>",
    f"&lt;img src=x onerror={RUN}&gt; &#60;script&#62;{RUN}&#60;/script&#62;",
    f"- [ ] <img src=x onerror={RUN}>",
    f"https://e.test/<img/src=x/onerror={RUN}>",
    f"[1] [2\" onclick={RUN}] [\"><img src=x onerror={RUN}>]",
    "\0<scr\0ipt>" + RUN + "</scr\0ipt>",
    f"<<img src=x onerror={RUN}>img>",
    f"[<img src=x onerror={RUN}>](https://e.test)",
    f"__proto__ constructor [x](#\"><script>{RUN}</script>)",
]  # fmt: skip

SAMPLE = """\
# A heading

Some **bold**, *slanted*, ~~struck~~ and `code` words, with a [link](https://e.test/a_b) and a claim [1].

| Limit | Default | Meaning |
|-------|--------:|:-------:|
| `bytes` | 1 MiB | *largest* |
| flight | 32 | requests |

Steps:
1. First
   - inner
     - deepest
2. Second

- [x] done
- [ ] to do

```python
def f(a, *b):
    return a["x"] ** 2  # not **bold**
```

> Quoted **words**
> go on.

---

Last line.
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab with the page's own Markdown in it; the page is served without a project around it."""
    folder = tmp_path_factory.mktemp("markdown")
    files = {name: (PUBLIC / name).read_text() for name in ("markdown.js", "vendor/markdown-it.umd.min.js")}
    project = write_project(
        folder / "app",
        {
            "gsws.yaml": "name: app\n",
            "eventsources/websocket.yaml": "type: websocket\n",
            "public/index.html": "<link rel=icon href=icon.svg><script type=module src=page.js></script>",
            "public/page.js": "import * as markdown from './markdown.js';\nwindow.markdown = markdown;\n",
            "public/icon.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
            **{f"public/{name}": text for name, text in files.items()},
        },
    )
    with serve(project) as server, open_page(find_chromium()) as opened:
        opened.navigate(f"http://127.0.0.1:{server.port}/")
        opened.wait(lambda: opened.evaluate("window.markdown !== undefined"))
        yield opened
        opened.navigate("about:blank")


def call(page: Page, body: str, *values: Any) -> Any:
    """Run the body of a function in the page; its parameters are `a`, `b`, …, and `box` is an element of the page."""
    box = "const box = document.createElement('div'); document.body.append(box);"
    given = ", ".join(json.dumps(value) for value in values)
    return page.evaluate(f"(async (a, b, c) => {{ {box} {body} }})({given})")


def html(page: Page, text: str) -> str:
    """The HTML of a text that cites one source."""
    source = [{"id": 1, "source": "notes.md#there", "title": "Notes › There"}]
    return str(call(page, "box.append(markdown.render(a, b)); return box.innerHTML", text, source))


def test_the_vendored_library_is_what_its_page_of_sums_says() -> None:
    """The files are those that were published, with their licence, and there are no others."""
    sums = dict(re.findall(r"(?m)^([0-9a-f]{64})  (\S+)$", (VENDOR / "SHA256SUMS").read_text()))
    found = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path.name
        for path in VENDOR.iterdir()
        if path.name != "SHA256SUMS"
    }
    assert found == sums
    assert sorted(found.values()) == ["markdown-it.LICENSE.txt", "markdown-it.umd.min.js"]
    assert (
        "MIT" in (VENDOR / "markdown-it.umd.min.js").read_text()[:200]
        or "Permission is hereby granted" in (VENDOR / "markdown-it.LICENSE.txt").read_text()
    )


@pytest.mark.browser
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\n\n## Two", "<h3>One</h3><h4>Two</h4>"),
        ("a\nb", "<p>a<br>b</p>"),
        ("1. a\n   - b\n     - c\n2. d", "<ol><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li><li>d</li></ol>"),
        ("4. a", '<ol start="4"><li>a</li></ol>'),
        (
            "- [x] a\n- [ ] b",
            '<ul><li><input type="checkbox" disabled="" checked="" aria-label="done"> a</li>'
            '<li><input type="checkbox" disabled="" aria-label="to do"> b</li></ul>',
        ),
        (
            "| a | b |\n|---|--:|\n| 1 | **2** |",
            '<div class="wide" tabindex="0"><table><thead><tr><th>a</th><th class="right">b</th></tr></thead>'
            '<tbody><tr><td>1</td><td class="right"><strong>2</strong></td></tr></tbody></table></div>',
        ),
        (
            "```py\nx = 1\n```",
            '<div class="code"><div class="head"><span>py</span>'
            '<button type="button" class="copy">Copy<span class="unseen"> py</span>'
            '</button></div><pre tabindex="0"><code>x = 1\n</code></pre></div>',
        ),
        (
            "[a](https://e.test/x) https://e.test/y",
            '<p><a href="https://e.test/x" target="_blank" rel="noopener noreferrer nofollow">a</a> '
            '<a href="https://e.test/y" target="_blank" rel="noopener noreferrer nofollow">https://e.test/y</a></p>',
        ),
        ("[notes](notes.md) and notes.md", "<p><span>notes</span> and notes.md</p>"),
        (
            "![a cat](https://e.test/cat.png)",
            '<p><a href="https://e.test/cat.png" target="_blank" rel="noopener noreferrer nofollow">a cat</a></p>',
        ),
        ("![own](icon.svg)", "<p><span>own</span></p>"),
        (
            "![dot](data:image/png;base64,iVBORw0KGgo=)",
            '<p><img src="data:image/png;base64,iVBORw0KGgo=" alt="dot"></p>',
        ),
        (
            "so [1], not [2]",
            '<p>so <button type="button" class="cite" title="Notes › There" value="1" aria-label="Source 1">1</button>'
            ", not [2]</p>",
        ),
        ("> a\n> b\n\n~~c~~", "<blockquote><p>a<br>b</p></blockquote><p><s>c</s></p>"),
        ("a &lt; b <b>c</b>", "<p>a &lt; b &lt;b&gt;c&lt;/b&gt;</p>"),
    ],
)
def test_markdown_is_shown_as_people_know_it(page: Page, text: str, expected: str) -> None:
    assert html(page, text) == expected


@pytest.mark.browser
def test_hostile_text_stays_text_and_asks_nobody_for_anything(page: Page) -> None:
    """Whole and letter by letter: no element, attribute, address or request comes from what a text says."""
    page.requested.clear()
    for text in HOSTILE:
        found = call(
            page,
            """
            box.append(markdown.render(a, []));
            const other = box.appendChild(document.createElement("section"));
            const growing = new markdown.Text(other);
            for (let end = 1; end <= a.length; end++) growing.grow(a.slice(0, end), []);
            await new Promise((resolve) => setTimeout(resolve, 5));
            const all = [...box.querySelectorAll("*")].filter((one) => one !== other);
            const over = new MouseEvent("mouseover", { bubbles: true });
            for (const one of all) one.dispatchEvent(over);
            return {
              tags: all.map(({ localName }) => localName),
              attributes: all.flatMap((one) => one.getAttributeNames()),
              addresses: all.flatMap((one) => [one.getAttribute("href"), one.getAttribute("src")]).filter((one) => one),
            };
            """,
            text,
        )
        assert set(found["tags"]) <= ELEMENTS, text
        assert not [name for name in found["attributes"] if name.startswith("on") or name in ("style", "srcdoc")], text
        assert all(re.match(r"(?:https?|mailto):", address) for address in found["addresses"]), text
        assert page.evaluate("window.pwned") is None, text
    assert [url for url in page.requested if not url.endswith("/icon.svg")] == []
    assert page.exceptions == []


@pytest.mark.browser
@pytest.mark.parametrize(
    "text",
    [
        ">" * 20_000,
        "*a " * 10_000,
        "[" * 20_000,
        "- " * 5_000,
        "`a" * 10_000,
        "|" * 10_000 + "\n" + "|-" * 5_000,
        "![[" * 7_000,
        "http://a." * 3_000,
        "<" * 20_000,
        "**a*" * 5_000,
        "&" * 20_000,
        "- a\n" * 5_000,
        "*a " * 5_000 + "a* " * 5_000,
        "**a _b " * 5_000,
    ],
    ids=lambda text: text[:6],
)
def test_a_text_that_would_break_formatting_is_shown_all_the_same(page: Page, text: str) -> None:
    """Nesting without end and signs that never close: whole, and as it grows, before the driver's deadline."""
    shown = call(
        page,
        """
        box.append(markdown.render(a, []));
        const growing = new markdown.Text(box.appendChild(document.createElement("section")));
        for (let part = 1; part <= 5; part++) growing.grow(a.slice(0, part * a.length / 5), []);
        return box.textContent.length;
        """,
        text,
    )
    assert shown > 0


@pytest.mark.browser
@pytest.mark.parametrize("size", [1, 3, 11])
def test_a_growing_answer_shows_nothing_that_it_takes_back(page: Page, size: int) -> None:
    """
    Letter by letter, no sign of Markdown is ever seen, no block becomes another, and what stands there stays.

    At the end it is what the whole text is.
    """
    found = call(
        page,
        """
        const sources = [{ id: 1, source: "notes.md" }];
        const growing = new markdown.Text(box);
        const removed = [];
        const seen = new Set();
        const tags = new Set();
        const watch = new MutationObserver((records) => records.forEach((one) => {
          for (const gone of one.removedNodes) if (gone.nodeType === 1) removed.push(gone.outerHTML);
        }));
        watch.observe(box, { childList: true, subtree: true });
        for (let end = 0; end <= a.length; end += b) {
          growing.grow(a.slice(0, end), sources);
          const copy = box.cloneNode(true);
          copy.querySelectorAll("pre").forEach((one) => one.remove());
          const signs = copy.textContent.match(/\\*|\\||`|~~|\\]\\(|^#|---|\\[/gm) ?? [];
          for (const sign of signs) seen.add(`${sign} at ${end}`);
          for (const one of box.querySelectorAll("*")) tags.add(one.localName);
        }
        await new Promise((resolve) => setTimeout(resolve, 0));
        growing.end(a, sources);
        const whole = document.createElement("div");
        whole.append(markdown.render(a, sources));
        const wanted = new Set([...whole.querySelectorAll("*")].map(({ localName }) => localName));
        return {
          same: box.innerHTML === whole.innerHTML, removed, seen: [...seen],
          tags: [...tags].filter((one) => !wanted.has(one)),
        };
        """,
        SAMPLE,
        size,
    )
    assert found == {"same": True, "removed": [], "seen": [], "tags": []}


@pytest.mark.browser
@pytest.mark.parametrize(
    "text",
    [
        "a\r\n\r\nb\r\n- c\r\n- d\r\n\r\ne\r\n",
        "a [x]\n\nb\n\n[x]: https://e.test\n",
        "- a\n\n- b\n\n  c\n\nd\n",
        "```\na\n\nb",
        "a\n\n    code\n\nb\n\n***\n",
        "| a |\n| b",
        "[",
        "**",
        "a **b",
        "a `b",
        "1. a\n\n   b\n\n> c\nd\n\n\n\ne",
        "x\n===\n\ny\n---\nz",
        ">" * 40 + " deep\n\nafter",
    ],
)
def test_however_a_text_comes_it_ends_as_the_whole(page: Page, text: str) -> None:
    same = call(
        page,
        """
        const growing = new markdown.Text(box);
        for (let end = 0; end <= a.length; end++) growing.grow(a.slice(0, end), []);
        growing.end(a, []);
        const whole = document.createElement("div");
        whole.append(markdown.render(a, []));
        return box.innerHTML === whole.innerHTML;
        """,
        text,
    )
    assert same


@pytest.mark.browser
def test_what_is_selected_in_a_growing_answer_stays_selected(page: Page) -> None:
    said = call(
        page,
        """
        const growing = new markdown.Text(box);
        growing.grow("First words of a ", []);
        const text = box.querySelector("p").firstChild;
        getSelection().setBaseAndExtent(text, 0, text, 11);
        growing.grow("First words of a paragraph **and** more\\n\\nthen ", []);
        growing.grow("First words of a paragraph **and** more\\n\\nthen another", []);
        return getSelection().toString();
        """,
    )
    assert said == "First words"


def test_no_page_of_a_template_has_script_or_style_in_it_or_names_another_host() -> None:
    """So that a strict policy (`default-src 'self'`) holds for each of them."""
    pages = [path for path in ROOT.glob("templates/*/public/**/*") if path.suffix in (".tmpl", ".html", ".js", ".css")]
    assert pages
    for path in pages:
        text = path.read_text()
        if ".html" in path.name:
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=|javascript:", text), path
            assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", text), path
        if path.parent.name != "vendor":
            assert not re.search(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write|url\(", text), (
                path
            )
            assert not re.search(r"https?://(?!www\.w3\.org)[\w-]", text), path
