"""The JSDoc types of the JavaScript client, checked by the TypeScript compiler as a user's editor does it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from gsws.client.javascript import FOLDER
from tests.e2e.available import missing, node_modules

GSWS_JS = FOLDER / "gsws.js"

# What `@ts-expect-error` stands above must be an error, and nothing else may be one.
PROGRAM = """\
import { connect, Client, RemoteError, ResumeLost, ConnectionLost, AnswerTimeout, Interrupted } from "./gsws.js";

const client = await connect("wss://chat.example", {
  clientId: "page",
  token: async () => "token",
  backoff: { base: 100 },
  compact: true,
  onSession: (fresh) => void fresh.call("websocket.join"),
  onState: (state) => {
    /** @type {"connected" | "reconnecting" | "closed"} */
    const known = state;
    return known;
  },
});
/** @type {Client} */
const same = client;
/** @type {string | null} */
const session = same.session;
/** @type {boolean} */
const isConnected = client.isConnected;
const aborter = new AbortController();
const stream = client.stream("websocket.stream", { message: "hello" }, { signal: aborter.signal, timeout: null });
for await (const chunk of stream) chunk.text.toUpperCase().concat(String(chunk.seq));
for await (const frame of stream.frames()) frame.eventtype.toUpperCase();
for await (const push of client.pushes()) push.eventtype.toUpperCase();
/** @type {string} */
const whole = await stream.text();
/** @type {string | null} */
const reason = stream.reason;
const followed = client.follow(client.share(), stream.id, { after: 3, signal: aborter.signal });
for await (const chunk of followed) chunk.text.toUpperCase();
stream.cancel();
stream.close();
client.authenticate("token");
try {
  await client.call("websocket.greet", { name: "Bo" }, { idempotencyKey: "greet-1", timeout: 1000 });
} catch (error) {
  if (error instanceof RemoteError) error.errors.map(({ pointer, keyword }) => pointer + keyword);
  if (error instanceof RemoteError) error.retryAfter?.toFixed();
  if (error instanceof ResumeLost) error.seen.toFixed();
  if (error instanceof ConnectionLost) error.code.toFixed();
  if (error instanceof Interrupted) error.reason.toUpperCase();
  if (error instanceof AnswerTimeout) error.message.toUpperCase();
}

// @ts-expect-error a URL is a text
connect(5);
// @ts-expect-error no such option: `clientId`
connect(undefined, { clientid: "page" });
// @ts-expect-error no such state
connect(undefined, { onState: (state) => state === "open" });
// @ts-expect-error a token is a text
connect(undefined, { token: () => 5 });
// @ts-expect-error it takes what `share` gives
client.follow({ session: "s" }, "id");
// @ts-expect-error an event has a name
client.call();
// @ts-expect-error a stream is no promise of text
stream.text().toUpperCase();
// @ts-expect-error private
stream.end();
// @ts-expect-error cannot be set
client.isConnected = true;
console.log(session, isConnected, whole, reason);
"""


def tsc(folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    """Check files as strictly as the compiler can, with a browser's library and nothing else."""
    compiler = node_modules() / "typescript" / "bin" / "tsc"
    if not compiler.is_file():
        missing(f"no TypeScript: {compiler}")
    command = ["node", str(compiler), "--noEmit", "--allowJs", "--checkJs", "--strict", "--pretty", "false"]
    command += ["--target", "es2022", "--module", "esnext", "--lib", "es2022,dom,dom.iterable", *files]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The client where a program can import it."""
    (tmp_path / "gsws.js").write_text(GSWS_JS.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


@pytest.mark.node
def test_the_client_keeps_its_own_types(folder: Path) -> None:
    """`tsc --checkJs --strict` finds nothing."""
    done = tsc(folder, "gsws.js")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.node
def test_a_program_is_told_what_the_client_takes_and_gives(folder: Path) -> None:
    """Everything in the reference has its type; misspelt options, wrong states and missing arguments are errors."""
    (folder / "program.js").write_text(f"// @ts-check\n{PROGRAM}export {{}};\n", encoding="utf-8")

    done = tsc(folder, "program.js")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.node
def test_the_check_finds_mistakes(folder: Path) -> None:
    """The compiler does look: without its `@ts-expect-error`, each of those lines is reported."""
    wrong = "".join(f"{line}\n" for line in PROGRAM.splitlines() if "@ts-expect-error" not in line)
    (folder / "program.js").write_text(f"// @ts-check\n{wrong}export {{}};\n", encoding="utf-8")

    done = tsc(folder, "program.js")

    assert done.returncode != 0
    assert done.stdout.count("error TS") == PROGRAM.count("@ts-expect-error"), done.stdout


@pytest.mark.node
@pytest.mark.parametrize("is_wrong", [False, True])
def test_the_declarations_tell_a_typescript_program_the_same(tmp_path: Path, is_wrong: bool) -> None:
    """`gsws.d.ts` alone: everything in the reference has its type there, and mistakes are errors."""
    (tmp_path / "gsws.d.ts").write_text((FOLDER / "gsws.d.ts").read_text(encoding="utf-8"), encoding="utf-8")
    lines = [line for line in PROGRAM.splitlines() if not (is_wrong and "@ts-expect-error" in line)]
    (tmp_path / "program.ts").write_text("\n".join([*lines, "export {};", ""]), encoding="utf-8")

    done = tsc(tmp_path, "program.ts", "gsws.d.ts")

    assert done.stdout.count("error TS") == (PROGRAM.count("@ts-expect-error") if is_wrong else 0), done.stdout


@pytest.mark.node
def test_the_declarations_leave_nothing_out(folder: Path) -> None:
    """What the compiler reads from the client itself, and nothing else: every export, every public member."""
    compiler = node_modules() / "typescript" / "bin" / "tsc"
    command = ["node", str(compiler), "gsws.js", "--allowJs", "--declaration", "--emitDeclarationOnly"]
    command += ["--target", "es2022", "--module", "esnext", "--outDir", "made"]
    subprocess.run(command, cwd=folder, capture_output=True, timeout=100, check=False)

    declared = names((FOLDER / "gsws.d.ts").read_text("utf-8"), 2)

    assert declared == names((folder / "made" / "gsws.d.ts").read_text("utf-8"), 4)
    assert {"call", "stream", "pushes", "close"} <= declared["Client"]


def names(declarations: str, indent: int) -> dict[str, set[str]]:
    """The members of each exported class, interface and function."""
    found: dict[str, set[str]] = {}
    text = re.sub(r"/\*\*.*?\*/", "", declarations, flags=re.DOTALL)
    body = r"([^{;]*\{\s*\}|[^{;]*\{.*?\n\}|[^;]*;)"
    for match in re.finditer(rf"export (?:declare )?(?:class|interface|type|function) (\w+){body}", text, re.DOTALL):
        members = re.findall(rf"^ {{{indent}}}(?:get )?(\w+)\??[:(]", match[2], re.MULTILINE)
        found[match[1]] = {member for member in members if member != "constructor"}
    return found
