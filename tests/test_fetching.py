"""Documents named by address: only what everybody could fetch is fetched, whatever a name leads to."""

from __future__ import annotations

import io
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from ocr_moe.errors import DocumentError, TooLargeError, UnreadableFileError
from ocr_moe.web.fetching import fetch
from ocr_moe.web.outward import Outside, Target, Unreachable, is_public
from tests.internet import HOST, PUBLIC, Internet, Reply, head, public_internet, saying

OTHER = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
LIMIT = 1000


@pytest.fixture
def internet() -> Iterator[Internet]:
    with public_internet() as outside:
        yield outside


def fetched(
    internet: Internet, url: str = f"https://{HOST}/scans/1.jpg", seconds: float = 20
) -> bytes:
    into = io.BytesIO()
    fetch(url, into, limit=LIMIT, seconds=seconds, outside=internet.outside())
    return into.getvalue()


def refused(internet: Internet, url: str) -> str:
    """Why an address is not fetched; nothing was connected to, and nothing of the network is told."""
    with pytest.raises(UnreadableFileError) as told:
        fetched(internet, url)
    assert internet.connected == []
    reason = str(told.value).removeprefix(url)
    assert not any(part in reason for part in ("127.", "10.", "::1", "192.168"))
    return reason


def test_a_document_is_fetched(internet: Internet) -> None:
    body = b"\xff\xd8 pixels"
    internet.reply = saying(head(Content_Length=len(body), Content_Type="text/html"), body)
    into = io.BytesIO()
    url = f"https://{HOST}/scans/%E6%AF%95%E4%B8%9A%E8%AF%81.jpg?sig=1%2F2"
    name = fetch(url, into, limit=LIMIT, seconds=20, outside=internet.outside())
    assert (name, into.getvalue()) == ("毕业证.jpg", body)
    assert internet.connected == [(PUBLIC, 443)]
    assert internet.server_names == [HOST]
    lines = internet.requests[0].split(b"\r\n")
    assert lines[0] == b"GET /scans/%E6%AF%95%E4%B8%9A%E8%AF%81.jpg?sig=1%2F2 HTTP/1.1"
    assert f"Host: {HOST}".encode() in lines
    assert not [line for line in lines if line.lower().startswith((b"cookie", b"authorization"))]


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "127.255.0.9",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.1",
        ),
        *("192.168.0.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192"),
        *("198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250"),
        *("233.252.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
        *(
            "::ffff:127.0.0.1",
            "::ffff:93.184.215.14",
            "::127.0.0.1",
            "2002:7f00:1::",
            "2002:5db8:d70e::",
        ),
        *(
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::5db8:d70e",
            "2001::1",
            "2001:db8::1",
        ),
        *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "3fff::1", "5f00::1", "100::1", "4000::1"),
    ],
)
def test_what_is_not_public_is_not_reached(internet: Internet, address: str) -> None:
    assert not is_public(ipaddress.ip_address(address.partition("%")[0]))
    internet.names[HOST] = [[address]]
    assert "not one of the public internet" in refused(internet, f"https://{HOST}/")
    internet.names[HOST] = [[PUBLIC, address]]
    assert "not one of the public internet" in refused(internet, f"https://{HOST}/")


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", OTHER, "64:ff9b::808:808", "2400:3200::1"])
def test_what_is_public_is_reached(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "localhost.", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]"),
        *("2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001", "0177.0.0.01", "127.1", "0"),
        *("①②⑦.⓪.⓪.①", "127。0。0。1", "ⓛocalhost", "[::]", "0.0.0.0"),
    ],
)
def test_this_machine_is_not_reached_however_it_is_written(internet: Internet, host: str) -> None:
    """With the real resolver, which knows all of these."""
    for port in ("", ":443", ":8000"):
        reason = refused(internet, f"https://{host}{port}/")
        assert "public internet" in reason or "no such host" in reason


def test_a_name_is_resolved_once_and_what_was_looked_at_is_connected_to(internet: Internet) -> None:
    internet.names[HOST] = [[PUBLIC], ["127.0.0.1"]]
    fetched(internet)
    assert internet.looked_up == [HOST]
    assert internet.connected == [(PUBLIC, 443)]
    with pytest.raises(UnreadableFileError, match="public internet"):
        fetched(internet)


def test_the_next_address_is_tried(internet: Internet) -> None:
    internet.names[HOST] = [[OTHER, PUBLIC]]
    through = internet.connect

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        connected = through(address, port, seconds)
        if address == OTHER:
            connected.close()
            raise OSError
        return connected

    into = io.BytesIO()
    outside = Outside(internet.resolve, connect, internet.trust)
    fetch(f"https://{HOST}/", into, limit=LIMIT, seconds=20, outside=outside)
    assert internet.connected == [(OTHER, 443), (PUBLIC, 443)]


@pytest.mark.parametrize(
    "url",
    [
        *(f"http://{HOST}/", f"ftp://{HOST}/", "file:///etc/passwd", "/etc/passwd", "", "https:"),
        *("https:///x", f"https://me@{HOST}/", f"https://me:word@{HOST}/", f"https://@{HOST}/"),
        *(
            f"https://{HOST}:22/",
            f"https://{HOST}:0/",
            f"https://{HOST}:65536/",
            f"https://{HOST}:x/",
        ),
        *(f"https://{HOST}\\@evil.example/", f"https://{HOST}/ x", f"https://{HOST}/\r\nX: y"),
        *(
            f"https://{HOST}/\tx",
            "https://[::1/",
            "https://a%00b/",
            "https://a%2eb/",
            "https://é\x00/",
        ),
        *(
            f"https://{HOST}/{'x' * 3000}",
            f"gopher://{HOST}/",
            f"jar:https://{HOST}!/",
            "https://a,b/",
        ),
    ],
)
def test_addresses_that_are_not_asked(internet: Internet, url: str) -> None:
    refused(internet, url)
    assert internet.looked_up == []


def test_names_in_other_scripts_are_asked_by_their_ascii_form(internet: Internet) -> None:
    name = "审核.example".encode("idna").decode()
    internet.names[name] = [[PUBLIC]]
    with suppress(UnreadableFileError):
        fetched(internet, "https://审核.example./x")
    assert internet.looked_up == internet.server_names == [name]


def test_a_certificate_of_somebody_else_is_not_trusted(internet: Internet) -> None:
    internet.names["other.example"] = [[PUBLIC]]
    with pytest.raises(UnreadableFileError, match="certificate"):
        fetched(internet, "https://other.example/")
    internet.trust = ssl.create_default_context()
    with pytest.raises(UnreadableFileError, match="certificate"):
        fetched(internet)
    assert internet.requests == []


def test_an_address_in_digits_has_a_certificate_of_its_own(internet: Internet) -> None:
    assert fetched(internet, f"https://{PUBLIC}/") == b""
    assert internet.looked_up == [PUBLIC]


# --- leading on


def leading(*locations: str) -> Reply:
    left = list(locations)

    def reply(connection: ssl.SSLSocket, request: bytes) -> None:
        if left:
            connection.sendall(head("302 Found", Location=left.pop(0), Content_Length=0))
        else:
            connection.sendall(head(Content_Length=2) + b"ok")

    return reply


def test_what_leads_on_is_followed_three_times(internet: Internet) -> None:
    internet.reply = leading("/a", f"https://{HOST}:8443/b", "c?d")
    assert fetched(internet) == b"ok"
    assert internet.connected == [(PUBLIC, 443), (PUBLIC, 443), (PUBLIC, 8443), (PUBLIC, 8443)]
    assert b"GET /c?d HTTP/1.1\r\nHost: files.example:8443\r\n" in internet.requests[-1]
    internet.reply = leading("/a", "/b", "/c", "/d")
    with pytest.raises(UnreadableFileError, match="more than 3 times"):
        fetched(internet)


@pytest.mark.parametrize(
    "location",
    [
        *(
            "http://files.example/",
            "https://inside.example/",
            "https://127.0.0.1/",
            "file:///etc/passwd",
        ),
        *(
            "https://169.254.169.254/latest/meta-data",
            "//inside.example/",
            "https://me:x@files.example/",
        ),
        *("https://files.example:22/", "gopher://files.example/", "https://[::1]/"),
    ],
)
def test_each_place_on_the_way_is_looked_at(internet: Internet, location: str) -> None:
    internet.names["inside.example"] = [["10.0.0.7"]]
    internet.reply = leading(location)
    with pytest.raises(UnreadableFileError):
        fetched(internet)
    assert internet.connected == [(PUBLIC, 443)]


def test_a_name_that_changes_on_the_way_is_looked_at_again(internet: Internet) -> None:
    internet.names[HOST] = [[PUBLIC], ["127.0.0.1"]]
    internet.reply = leading("/next")
    with pytest.raises(UnreadableFileError, match="public internet"):
        fetched(internet)


@pytest.mark.parametrize("headers", [{}, {"Location": "/a\r\nLocation: /b"}])
def test_leading_on_to_nowhere(internet: Internet, headers: dict[str, str]) -> None:
    internet.reply = saying(head("301 Moved", Content_Length=0, **headers))
    with pytest.raises(UnreadableFileError, match="nowhere"):
        fetched(internet)


# --- bounds


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


CHUNKED = head(Transfer_Encoding="chunked")


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ((head(Content_Length=LIMIT + 1),), TooLargeError),
        ((head(Content_Length=10**30),), TooLargeError),
        ((head(), b"x" * (LIMIT + 1)), TooLargeError),
        ((CHUNKED, chunked(*[b"x" * 100] * 11)), TooLargeError),
        ((head(Content_Length=5), b"1234"), UnreadableFileError),
        ((CHUNKED, chunked(b"1234")), UnreadableFileError),
        ((CHUNKED, b"-1\r\n"), UnreadableFileError),
        ((CHUNKED, b"zz\r\n"), UnreadableFileError),
        ((head("404 Not Found"),), UnreadableFileError),
        ((head("206 Partial Content", Content_Length=1), b"x"), UnreadableFileError),
        ((head("204 No Content"),), UnreadableFileError),
        ((head(Content_Encoding="gzip", Content_Length=1), b"x"), UnreadableFileError),
        ((b"SSH-2.0-OpenSSH\r\n",), UnreadableFileError),
        ((b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",), UnreadableFileError),
        ((b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",), UnreadableFileError),
        ((b"",), UnreadableFileError),
    ],
)
def test_answers_that_are_not_taken(
    internet: Internet, parts: tuple[bytes, ...], problem: type[DocumentError]
) -> None:
    internet.reply = saying(*parts)
    with pytest.raises(problem, match=rf"^https://{HOST}/"):
        fetched(internet)


@pytest.mark.parametrize(
    "parts",
    [
        (head(Content_Length=LIMIT), b"x" * LIMIT),
        (head(), b"x" * LIMIT),
        (CHUNKED, chunked(*[b"x" * 100] * 10, b"")),
    ],
)
def test_as_much_as_is_allowed_is_taken(internet: Internet, parts: tuple[bytes, ...]) -> None:
    internet.reply = saying(*parts)
    assert fetched(internet) == b"x" * LIMIT


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\n", head(Content_Length=500), head()])
def test_a_server_that_drips_is_cut_off(internet: Internet, first: bytes) -> None:
    """Each byte comes soon, the last never."""
    over = threading.Event()

    def drip(connection: ssl.SSLSocket, request: bytes) -> None:
        connection.sendall(first)
        while not over.wait(0.02):
            connection.sendall(b"x")

    internet.reply = drip
    try:
        with pytest.raises(UnreadableFileError, match="no answer within"):
            fetched(internet, seconds=0.4)
    finally:
        over.set()


def test_a_server_that_does_not_greet_is_cut_off(internet: Internet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        internet.port = silent.getsockname()[1]
        with pytest.raises(UnreadableFileError, match="no answer within"):
            fetched(internet, seconds=0.3)


def test_no_proxy_of_the_environment_is_asked(
    internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    internet.reply = saying(head(Content_Length=2), b"ok")
    assert fetched(internet) == b"ok"


def test_a_full_disk_is_no_fault_of_the_server(internet: Internet) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    internet.reply = saying(head(Content_Length=2), b"ok")
    with pytest.raises(OSError, match="No space left"):
        fetch(f"https://{HOST}/", Full(), limit=9, seconds=20, outside=internet.outside())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "document"),
        ("/a/..%2f..%2fetc%2fpasswd", ".._.._etc_passwd"),
        ("/%00%0a.png", "__.png"),
        ("/CON", "_CON"),
        ("/a.jpg?b=/c", "a.jpg"),
        ("/%ff.png", "\ufffd.png"),
    ],
)
def test_the_name_is_no_path(internet: Internet, path: str, name: str) -> None:
    into = io.BytesIO()
    url = f"https://{HOST}{path}"
    assert fetch(url, into, limit=9, seconds=20, outside=internet.outside()) == name


def test_a_secret_in_an_address_is_not_told(internet: Internet) -> None:
    internet.reply = saying(head("403 Forbidden"))
    with pytest.raises(UnreadableFileError) as told:
        fetched(internet, f"https://{HOST}/a?token=s3cret")
    assert "s3cret" not in str(told.value)


def test_what_target_makes_of_an_address() -> None:
    target = Target.parse("HTTPS://Files.Example./a b".replace(" ", "%20") + "?q=页#part")
    assert target == Target("files.example", 443, "/a%20b?q=%E9%A1%B5")
    assert Target.parse("https://[2606:2800::1]:8443").place == "[2606:2800::1]:8443"
    with pytest.raises(Unreachable):
        target.joined("http://files.example/")
