"""Plain requests on the WebSocket's port: health, static files, and nothing else (P1.3)."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import time
from urllib.parse import urljoin

import pytest

from gsws.runtime.sources.options import SHIPPED
from gsws.runtime.transport import Page
from tests.runtime.support import logged
from tests.runtime.transport.harness import Client, eventually


@pytest.fixture
def public(tmp_path):
    """A folder of public files beside files that are not."""
    root = tmp_path / "public"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "bare").mkdir()
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("hidden")
    (root / ".env").write_text("hidden")
    (root / "index.html").write_text("<h1>home</h1>")
    (root / "sub" / "index.html").write_text("<h1>sub</h1>")
    (root / "sub" / "a b.txt").write_text("spaced")
    (root / "grüße.txt").write_text("umlaut")
    (root / "empty.txt").write_text("")
    (root / "link.txt").symlink_to(root / "index.html")
    (tmp_path / "secret.txt").write_text("secret")
    (root / "hidden.txt").symlink_to(root / ".env")
    (root / "hiddendir").symlink_to(root / ".git")
    (root / "hidden").mkdir()
    (root / "hidden" / "index.html").symlink_to("../.env")
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "outdir").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    (root / "dangling").symlink_to(root / "nothing")
    os.mkfifo(root / "fifo")
    return root


def test_p1_3_health(serve):
    """P1.3: `/healthz` says that the process lives, `/readyz` whether it wants work."""
    server = serve()
    response = server.request("/healthz")
    assert (response.status, response.body) == (200, b'{"status":"ok"}')
    assert response.headers["content-type"] == "application/json"
    assert response.headers["connection"] == "close"
    assert server.request("/readyz").status == 200
    server.app.is_ready = False
    assert server.request("/readyz").status == 503
    assert server.request("/healthz?verbose=1").status == 200


def test_p10_2_draining(serve):
    """P10.2: after `stop_accepting`, upgrades are 503 while open connections work and pages are served."""
    server = serve()
    with server.connect() as client:
        server.call(server.listener.stop_accepting)
        assert server.upgrade().status == 503
        assert server.request("/healthz").status == 200
        client.send_frame(1, b"still")
        client.expect(1, b"still")


def test_a_page_that_raises(serve):
    """500, and the log has the details."""
    server = serve(errors=["the page of a request failed"])
    server.app.page = lambda head, peer: 1 // 0
    response = server.request("/readyz")
    assert (response.status, response.body) == (500, b"the page could not be made\n")


def test_a_page_wins_over_a_file_and_is_for_our_names_only(serve, public):
    """P1.3: a page has its path, whatever lies in `public/`; by another name only what says so is given."""
    server = serve(public=public, hosts=("good.example",))
    pages = {"/index.html": Page(200, b"page", "text/plain", (("X-A", "b"),)), "/any": Page(200, any_host=True)}
    server.app.page = lambda head, peer: pages.get(head.path)

    def status(path, host):
        return server.request(path, [f"Host: {host}"]).status

    page = server.request("/index.html", ["Host: good.example"])
    assert (page.status, page.body, page.headers["x-a"]) == (200, b"page", "b")
    assert (status("/index.html", "evil.example"), status("/any", "evil.example")) == (404, 200)
    assert server.request("/index.html", ["Host: good.example"], method="HEAD").headers["content-length"] == "4"


def test_head_and_other_methods(serve, public):
    """P1.3: `HEAD` is `GET` without the body; every other method is 405."""
    server = serve(public=public)
    head = server.request("/index.html", method="HEAD")
    assert (head.status, head.headers["content-length"]) == (200, "13")
    assert server.request("/healthz", method="HEAD").headers["content-length"] == "15"
    assert server.request("/nothing", method="HEAD").status == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"):
        response = server.request("/healthz", method=method)
        assert (response.status, response.headers["allow"]) == (405, "GET, HEAD")
    with Client(server.port) as client:
        client.send(f"POST / HTTP/1.1\r\n{server.host}\r\nContent-Length: 3000000\r\n\r\n".encode())
        client.send(b"x" * 3_000_000)
        assert client.response().status == 405


@pytest.mark.parametrize("path", ["/", "/nothing", "/healthz/", "/HEALTHZ", "//", "/?x", "/%"])
def test_p1_3_nothing_else(serve, path):
    """P1.3: without a public folder everything else is 404."""
    assert serve().request(path).status == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", b"<h1>home</h1>"),
        ("/index.html?v=1", b"<h1>home</h1>"),
        ("/sub/", b"<h1>sub</h1>"),
        ("/sub/a%20b.txt", b"spaced"),
        ("/gr%C3%BC%C3%9Fe.txt", b"umlaut"),
        ("/empty.txt", b""),
        ("/link.txt", b"<h1>home</h1>"),
    ],
)
def test_p1_3_public_files(serve, public, path, body):
    """P1.3: files of `public/`, by names of any characters, `index.html` for a folder."""
    response = serve(public=public).request(path)
    assert (response.status, response.body) == (200, body)
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (b"b\xffd.txt", "/b%ffd.txt"),
        (b"caf\xe9.html", "/caf%E9.html"),
        (b"\xed\xa0\x80", "/%ed%a0%80"),
        (b"old\xfc/a", "/old%fc/a"),
    ],
)
def test_names_that_are_not_utf8(serve, public, name, path):
    """A name is the bytes that were asked for, also one of another century."""
    file = os.path.join(os.fsencode(public), name)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, "wb") as written:
        written.write(b"found")
    server = serve(public=public)
    assert server.request(path).body == b"found"
    assert server.request(path.replace("%", "%25")).status == 404


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/sub/../../secret.txt", "/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt", "/..%2fsecret.txt",
     "/..%5csecret.txt", "/..\\secret.txt", "/%252e%252e/secret.txt", "/sub/..", "/.", "/./index.html", "/out.txt",
     "/hidden.txt", "/hiddendir", "/hiddendir/config", "/hidden/",
     "/outdir/secret.txt", "/outdir/", "/outdir", "/.env", "/.git/config", "/.git", "/%2eenv", "/index.html%00",
     "/index.html%00.png", "/%00", "//index.html", "///etc/passwd", "/%2fetc/passwd", "//etc/passwd", "/C:/x", "/loop",
     "/dangling", "/fifo", "/bare/", "/index.html/", "/%ff%fe", "/%", "/%zz", "/sub//index.html", "/a%0d%0ab",
     "/" + "a" * 300, "/" + "a/" * 2000, "/index.html:stream", "/~root", "/INDEX.HTML"],
)  # fmt: skip
def test_nothing_outside_of_the_folder(serve, public, path):
    """T11: No spelling of a path leads out of the folder, to a hidden file, or to something that is no file."""
    response = serve(public=public).request(path)
    assert response.status == 404
    assert b"secret" not in response.body
    assert str(public).encode() not in response.body


def test_folder_without_slash(serve, public):
    """A folder is redirected to its slash, so that links in its page lead into it; never to another host."""
    server = serve(public=public)
    response = server.request("/sub?x=1")
    assert response.status == 301
    assert urljoin("http://a.example/sub?x=1", response.headers["location"]) == "http://a.example/sub/?x=1"
    # Behind a prefix that a proxy takes off, too.
    assert urljoin("http://a.example/app/sub?x=1", response.headers["location"]) == "http://a.example/app/sub/?x=1"
    assert server.request("//sub").status == 404
    assert server.request("http://evil.example//sub").status == 404


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("a.js", "text/javascript; charset=utf-8"), ("a.mjs", "text/javascript; charset=utf-8"),
     ("a.CSS", "text/css; charset=utf-8"), ("a.svg", "image/svg+xml"), ("a.wasm", "application/wasm"),
     ("a.json", "application/json"), ("a.unknown", "application/octet-stream"), ("a", "application/octet-stream")],
)  # fmt: skip
def test_content_types(serve, public, name, content_type):
    """Media types do not depend on the machine's tables; without them browsers refuse modules and WebAssembly."""
    (public / name).write_bytes(b"x")
    assert serve(public=public).request(f"/{name}").headers["content-type"] == content_type


def test_conditional_requests(serve, public):
    """An unchanged file is 304 by its tag or date; a changed one is sent."""
    server = serve(public=public)
    first = server.request("/index.html")
    tag, date = first.headers["etag"], first.headers["last-modified"]
    for header in (
        f"If-None-Match: {tag}",
        f'If-None-Match: "x", {tag}',
        "If-None-Match: *",
        f"If-Modified-Since: {date}",
    ):
        response = server.request("/index.html", [server.host, header])
        assert (response.status, response.body, response.headers["etag"]) == (304, b"", tag)
        assert "content-length" not in response.headers
    for header in ('If-None-Match: "x"', "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT", "If-Modified-Since: junk",
                   "If-Modified-Since: Thu, 01 Jan 99999 00:00:00 GMT"):  # fmt: skip
        assert server.request("/index.html", [server.host, header]).status == 200
    both = [server.host, 'If-None-Match: "x"', f"If-Modified-Since: {date}"]
    assert server.request("/index.html", both).status == 200
    (public / "index.html").write_text("<h1>new</h1>")
    assert server.request("/index.html", [server.host, f"If-None-Match: {tag}"]).body == b"<h1>new</h1>"


def test_large_files(serve, public):
    """A large file arrives whole, also at a slow reader, and also if the client sends no more."""
    content = os.urandom(2**20) * 8
    (public / "big.bin").write_bytes(content)
    server = serve(public=public)
    assert server.request("/big.bin").body == content
    assert server.request("/big.bin", method="HEAD").headers["content-length"] == str(len(content))
    with Client(server.port, receive_buffer=8192) as client:
        client.send(f"GET /big.bin HTTP/1.1\r\n{server.host}\r\n\r\n".encode())
        client.socket.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        assert client.response().body == content
        assert client.read_to_end() == b""
    eventually(lambda: not server.shared.sockets, 2)


def test_large_file_and_a_client_that_leaves_or_stalls(serve, public):
    """Who leaves or reads nothing is dropped; the file is not held in memory for it."""
    (public / "big.bin").write_bytes(b"x" * 2**25)
    server = serve(public=public, stall_timeout=0.5)
    request = f"GET /big.bin HTTP/1.1\r\n{server.host}\r\n\r\n".encode()
    with Client(server.port) as client:
        client.send(request)
        client.read(100_000)
    with Client(server.port, receive_buffer=8192) as stalled:
        stalled.send(request)
        eventually(lambda: server.shared.sockets)
        request = next(iter(server.shared.sockets))
        time.sleep(0.2)
        assert server.call(lambda: request._transport is None or request._transport.get_write_buffer_size()) < 2**18
        eventually(lambda: not server.shared.sockets)


def test_file_that_shrinks(serve, public):
    """A file that becomes shorter while it is sent ends in a cut, not in a hang or in somebody else's bytes."""
    (public / "big.bin").write_bytes(b"x" * 2**25)
    server = serve(public=public)
    with Client(server.port, receive_buffer=8192) as client:
        client.send(f"GET /big.bin HTTP/1.1\r\n{server.host}\r\n\r\n".encode())
        client.read(1000)
        (public / "big.bin").write_bytes(b"y" * 70000)
        assert len(client.read_to_end()) < 2**25


def test_half_closed_client_gets_its_answer(serve):
    """A client that ends its side after the request is answered all the same."""
    server = serve()
    with Client(server.port) as client:
        client.send(f"GET /healthz HTTP/1.1\r\n{server.host}\r\n\r\n".encode())
        client.socket.shutdown(socket.SHUT_WR)
        assert client.response().status == 200


def test_requests_after_the_first(serve):
    """One request a connection: what is pipelined after it is thrown away, without an end if need be."""
    server = serve()
    request = f"GET /healthz HTTP/1.1\r\n{server.host}\r\n\r\n".encode()
    with Client(server.port) as client:
        client.send(request * 50 + b"\x00\xff" * 1000)
        assert client.response().status == 200
        assert client.read_to_end() == b""
    with Client(server.port) as client:
        client.send(request)
        client.send_until_cut(b"x" * 65536)


def test_server_header(serve):
    """The `Server` header names the product, or nothing."""
    assert serve().request("/healthz").headers["server"] == "gsws"
    assert "server" not in serve(server_name="").request("/healthz").headers


def asked_for(server, path, fields, method="GET"):
    """A plain request with header fields."""
    return server.request(path, [server.host, *(f"{name}: {value}" for name, value in fields)], method=method)


@pytest.mark.parametrize(
    ("asked", "status", "body", "place"),
    [
        ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("Bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=0-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=10-20", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=4-2", 200, b"0123456789", None),
        ("bytes=", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("bytes=a-b", 200, b"0123456789", None),
        ("bytes=0x1-2", 200, b"0123456789", None),
        ("lines=0-1", 200, b"0123456789", None),
        (f"bytes={'9' * 400}-", 416, b"", "bytes */10"),
        (f"bytes=5-{'9' * 23}", 206, b"56789", "bytes 5-9/10"),
        (f"bytes={'0' * 50}7-{'9' * 5000}", 206, b"789", "bytes 7-9/10"),
        (f"bytes=-{'9' * 19}", 206, b"0123456789", "bytes 0-9/10"),
        (f"bytes=-{'0' * 30}2", 206, b"89", "bytes 8-9/10"),
        (f"bytes={'9' * 30}-5", 200, b"0123456789", None),
    ],
)
def test_ranges(serve, public, asked, status, body, place):
    """One range of bytes is sent alone (RFC 9110 section 14); what is malformed or several is the whole file."""
    (public / "ten.txt").write_bytes(b"0123456789")
    server = serve(public=public)
    response = asked_for(server, "/ten.txt", [("Range", asked)])
    assert (response.status, response.body, response.headers.get("content-range")) == (status, body, place)
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["content-length"] == str(len(body))
    assert asked_for(server, "/ten.txt", [("Range", asked)], method="HEAD").status == 200
    assert asked_for(server, "/empty.txt", [("Range", "bytes=0-")]).status == 416


def test_a_range_of_a_large_file(serve, public):
    data = os.urandom(3_000_000)
    (public / "large.bin").write_bytes(data)
    server = serve(public=public)
    response = asked_for(server, "/large.bin", [("Range", "bytes=1000000-2500000")])
    assert (response.status, response.body) == (206, data[1_000_000:2_500_001])
    assert response.headers["content-length"] == "1500001"


def test_a_range_of_the_version_that_is_known(serve, public):
    """`If-Range` with another version is the whole file, so that no two versions are put together."""
    (public / "ten.txt").write_bytes(b"0123456789")
    server = serve(public=public)
    first = server.request("/ten.txt")
    for known in (first.headers["etag"], first.headers["last-modified"]):
        assert asked_for(server, "/ten.txt", [("Range", "bytes=1-2"), ("If-Range", known)]).status == 206
    for other in ('"other"', "W/" + first.headers["etag"], "Mon, 01 Jan 2024 00:00:00 GMT", "nonsense", ""):
        assert asked_for(server, "/ten.txt", [("Range", "bytes=1-2"), ("If-Range", other)]).status == 200
    not_modified = [("Range", "bytes=1-2"), ("If-None-Match", first.headers["etag"])]
    assert asked_for(server, "/ten.txt", not_modified).status == 304


def test_conditions_that_the_file_does_not_meet(serve, public):
    """412 for who wants another version than there is; a tag wins over a date."""
    server = serve(public=public)
    tag = server.request("/sub/").headers["etag"]
    old, new = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    for fields, status in (
        ([("If-Match", tag)], 200),
        ([("If-Match", "*")], 200),
        ([("If-Match", '"a", ' + tag)], 200),
        ([("If-Match", '"other"')], 412),
        ([("If-Unmodified-Since", old)], 412),
        ([("If-Unmodified-Since", new)], 200),
        ([("If-Match", tag), ("If-Unmodified-Since", old)], 200),
        ([("If-None-Match", '"x"'), ("If-Modified-Since", new)], 200),
        ([("If-Modified-Since", new)], 304),
        ([("If-Modified-Since", old)], 200),
        ([("If-Modified-Since", "soon")], 200),
    ):
        assert asked_for(server, "/sub/", fields).status == status, fields


def test_pages_say_which_scripts_may_run(serve, public):
    """T12: Those of the same origin and those that stand in the page; nobody else shows it in a frame."""
    script = "\n  import('/gsws.js');\r\n"
    (public / "page.html").write_bytes(f"<script src=a.js></script><SCRIPT type=module>{script}</SCRIPT >".encode())
    digest = hashlib.sha256(script.replace("\r\n", "\n").encode()).digest()
    server = serve(public=public)
    for path in ("/page.html", "/"):
        headers = server.request(path).headers
        assert (headers["referrer-policy"], headers["x-content-type-options"]) == ("same-origin", "nosniff")
        assert headers["content-security-policy"].startswith("script-src 'self'")
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
    policy = server.request("/page.html").headers["content-security-policy"]
    assert f"script-src 'self' 'sha256-{base64.b64encode(digest).decode()}';" in policy
    assert "content-security-policy" not in server.request("/sub/a%20b.txt").headers


@pytest.mark.parametrize(("policy", "sent"), [("default-src 'none'", "default-src 'none'"), ("", None)])
def test_a_project_has_its_own_policy(serve, public, policy, sent):
    server = serve(public=public, csp=policy)
    assert server.request("/").headers.get("content-security-policy") == sent


@pytest.mark.parametrize("path", ["/gsws.js", "/gsws.d.ts"])
def test_our_client_may_be_had_by_the_pages_that_may_connect(serve, path):
    """By their origin, never by a star; caches are told that it matters."""
    server = serve(origins=("https://app.example",), shipped=SHIPPED)
    listed = asked_for(server, path, [("Origin", "https://app.example")]).headers
    assert (listed["access-control-allow-origin"], listed["vary"]) == ("https://app.example", "Origin")
    assert "access-control-allow-credentials" not in listed
    for origin in ([("Origin", "https://evil.example")], [("Origin", "null")], []):
        headers = asked_for(server, path, origin).headers
        assert "access-control-allow-origin" not in headers
        assert headers["vary"] == "Origin"
    assert asked_for(server, path, [("Origin", "https://app.example")]).status == 200


def test_in_development_a_page_on_this_machine_may_have_it(serve):
    server = serve(development=True, shipped=SHIPPED)
    for origin, allowed in (("http://localhost:5173", True), ("http://localhost.evil.example", False)):
        headers = asked_for(server, "/gsws.js", [("Origin", origin)]).headers
        assert headers.get("access-control-allow-origin") == (origin if allowed else None)


@pytest.mark.parametrize(
    ("host", "hosts", "development", "served"),
    [
        ("127.0.0.1", None, True, True),
        ("localhost:8000", None, True, True),
        ("[::1]:80", None, True, True),
        ("app.localhost", None, True, True),
        ("LOCALHOST.", None, True, True),
        ("192.168.1.7:8000", None, True, True),
        ("evil.example", None, True, False),
        ("evil.example:8000", None, True, False),
        ("127.0.0.1.evil.example", None, True, False),
        ("localhost.evil.example", None, True, False),
        ("box.local", ("box.local",), True, True),
        ("evil.example", ("*",), True, True),
        ("evil.example", None, False, True),
        ("evil.example", ("app.example",), False, False),
        ("app.example", ("app.example",), False, True),
    ],
)
def test_a_name_that_was_made_to_lead_here(serve, public, host, hosts, development, served):
    """DNS rebinding: the page and its `Origin` are of one name, and it is not ours; health checks go by any name."""
    # Threat T6.
    server = serve(public=public, hosts=hosts, development=development)
    origin = [f"Host: {host}", f"Origin: http://{host.rstrip('.')}"]
    assert server.request("/", [f"Host: {host}"]).status == (200 if served else 404)
    assert server.upgrade(extra=origin).status == (101 if served else 403)
    assert server.request("/healthz", [f"Host: {host}"]).status == 200


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_proxy_that_took_the_upgrade_out(serve, public, version):
    """A clear answer and a line in the log, not a page."""
    server = serve(public=public)
    with logged() as lines:
        fields = [
            server.host,
            "Connection: close",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
        for _ in range(20):
            response = server.request("/", fields, http=version)
            assert (response.status, response.headers["upgrade"]) == (426, "websocket")
        lost = server.upgrade_request(drop=("connection",)).replace(b"HTTP/1.1", f"HTTP/{version}".encode())
        with Client(server.port) as client:
            client.send(lost)
            assert client.response().status in (400, 426, 505)
    told = [line["reason"] for line in lines if line["event"] == "refused a handshake"]
    assert 2 <= len(told) <= 4
    assert all("a proxy in front" in reason for reason in told)
    assert len(set(told)) == 2
