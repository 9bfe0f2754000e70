"""Plain requests on the WebSocket's port: health, static files, and nothing else (P1.3)."""

from __future__ import annotations

import os
import socket
import time

import pytest

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
    """P10.2: after `stop_accepting`, upgrades and `/readyz` are 503 while open connections work."""
    server = serve()
    with server.connect() as client:
        server.call(server.listener.stop_accepting)
        assert server.upgrade().status == 503
        assert server.request("/readyz").status == 503
        assert server.request("/healthz").status == 200
        client.send_frame(1, b"still")
        client.expect(1, b"still")


def test_failing_readiness(serve):
    """A readiness check that raises means not ready."""
    server = serve(errors=["the readiness check failed"])
    server.app.ready = lambda: 1 // 0
    assert server.request("/readyz").status == 503


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
    "path",
    ["/../secret.txt", "/sub/../../secret.txt", "/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt", "/..%2fsecret.txt",
     "/..%5csecret.txt", "/..\\secret.txt", "/%252e%252e/secret.txt", "/sub/..", "/.", "/./index.html", "/out.txt",
     "/outdir/secret.txt", "/outdir/", "/outdir", "/.env", "/.git/config", "/.git", "/%2eenv", "/index.html%00",
     "/index.html%00.png", "/%00", "//index.html", "///etc/passwd", "/%2fetc/passwd", "//etc/passwd", "/C:/x", "/loop",
     "/dangling", "/fifo", "/bare/", "/index.html/", "/%ff%fe", "/%", "/%zz", "/sub//index.html", "/a%0d%0ab",
     "/" + "a" * 300, "/" + "a/" * 2000, "/index.html:stream", "/~root", "/INDEX.HTML"],
)  # fmt: skip
def test_nothing_outside_of_the_folder(serve, public, path):
    """No spelling of a path leads out of the folder, to a hidden file, or to something that is no file."""
    response = serve(public=public).request(path)
    assert response.status == 404
    assert b"secret" not in response.body
    assert str(public).encode() not in response.body


def test_folder_without_slash(serve, public):
    """A folder is redirected to its slash, so that links in its page lead into it; never to another host."""
    server = serve(public=public)
    response = server.request("/sub?x=1")
    assert (response.status, response.headers["location"]) == (301, "/sub/?x=1")
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
    eventually(lambda: not server.listener._intakes, 2)


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
        eventually(lambda: server.listener._intakes)
        intake = next(iter(server.listener._intakes))
        time.sleep(0.2)
        assert server.call(lambda: intake._transport is None or intake._transport.get_write_buffer_size()) < 2**18
        eventually(lambda: not server.listener._intakes)


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
