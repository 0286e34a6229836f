"""Clients for tests: raw and centrifuge over python3-websockets, and bytes on a socket for what no library
would send."""
import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import socket
import struct
import time
import uuid

import websockets

from heddle_cluster import PATIENCE, SECRET

PROBE = "probe:"


def within(awaitable, patience=PATIENCE):
    return asyncio.wait_for(awaitable, patience)


def connect(url, **options):
    """A WebSocket of the library's own; no pings of its own, no limit."""
    return websockets.connect(url, max_size=None, ping_interval=None, open_timeout=PATIENCE, close_timeout=2,
                              compression=None, **options)


class Raw:
    """A client of /ws/CHANNEL."""

    def __init__(self, socket_):
        self.socket = socket_

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, edge, channel, query="", ready=True, **options):
        """`ready`: waits until what is published arrives here, too."""
        base = edge if isinstance(edge, str) else edge.ws
        async with connect(f"{base}/ws/{channel}{query}", **options) as socket_:
            client = cls(socket_)
            if ready:
                await client.settle()
            yield client

    async def settle(self):
        """What one sends comes back once the subscription is on; the channel's others pass it over."""
        probe = PROBE + uuid.uuid4().hex
        await self.socket.send(probe)
        while await within(self.socket.recv()) != probe:
            pass

    async def send(self, payload):
        await self.socket.send(payload)

    async def receive(self):
        while True:
            payload = await within(self.socket.recv())
            if not (isinstance(payload, str) and payload.startswith(PROBE)):
                return payload

    async def receive_many(self, count):
        return [await self.receive() for _ in range(count)]


class Refused(Exception):
    def __init__(self, error):
        super().__init__(f"{error.get('code')} {error.get('message')}")
        self.code = error.get("code")
        self.temporary = error.get("temporary", False)


class Centrifuge:
    """The JSON protocol, one command at a time or several in a frame."""

    def __init__(self, socket_):
        self.socket = socket_
        self.ids = 0
        self.replies = {}
        self.pushes = asyncio.Queue()
        self.pings = 0
        self.answers_pings = True
        self.frames = []
        self.reader = asyncio.ensure_future(self.read())

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, edge, *channels, token=None, connected=True, **options):
        base = edge if isinstance(edge, str) else edge.ws
        async with connect(f"{base}/connection/websocket", **options) as socket_:
            client = cls(socket_)
            try:
                if connected:
                    client.welcome = await client.command("connect", {"token": token} if token else {})
                for channel in channels:
                    await client.subscribe(channel)
                yield client
            finally:
                client.reader.cancel()
                with contextlib.suppress(asyncio.CancelledError, websockets.ConnectionClosed):
                    await client.reader

    async def read(self):
        try:
            async for frame in self.socket:
                self.frames.append(frame)
                for line in frame.split("\n"):
                    if line:
                        await self.take(json.loads(line), line)
        finally:
            for future in self.replies.values():
                if not future.done():
                    future.set_exception(ConnectionError("closed"))
                    future.exception()  # seen, whether somebody waits for it or not

    async def take(self, reply, line):
        if reply.get("id"):
            future = self.replies.setdefault(reply["id"], asyncio.get_running_loop().create_future())
            if not future.done():
                future.set_result(reply)
        elif "push" in reply:
            self.pushes.put_nowait({**reply["push"], "line": line})
        else:
            self.pings += 1
            if self.answers_pings:
                await self.socket.send("{}")

    def next_id(self):
        self.ids += 1
        self.replies[self.ids] = asyncio.get_running_loop().create_future()
        return self.ids

    async def answer(self, id_):
        return await within(self.replies[id_])

    async def send_text(self, text):
        await self.socket.send(text)

    async def command(self, method, body):
        """The result; Refused if there is an error."""
        id_ = self.next_id()
        await self.socket.send(json.dumps({"id": id_, method: body}))
        reply = await self.answer(id_)
        if "error" in reply:
            raise Refused(reply["error"])
        return reply[method]

    async def subscribe(self, channel, **wishes):
        return await self.command("subscribe", {"channel": channel, **wishes})

    async def publish(self, channel, data):
        return await self.command("publish", {"channel": channel, "data": data})

    async def push(self):
        return await within(self.pushes.get())

    async def publication(self):
        """The next publication that is no probe."""
        while True:
            push = await self.push()
            if "pub" in push and not str(push["pub"].get("data")).startswith(PROBE):
                return push["pub"]

    async def closed(self):
        """(code, reason) of the end."""
        await within(self.socket.wait_closed())
        return self.socket.close_code, self.socket.close_reason


def encode64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_token(claims=None, secret=SECRET, header=None, **more):
    """A JWT. Without `exp` in the claims one is put in; exp=None leaves it out."""
    body = {"exp": int(time.time()) + 600, **(claims or {}), **more}
    body = {key: value for key, value in body.items() if value is not None}
    head = {"alg": "HS256", "typ": "JWT"} if header is None else header
    signed = encode64(json.dumps(head).encode()) + "." + encode64(json.dumps(body).encode())
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return signed + "." + encode64(signature)


# --- bytes on a socket ---

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0


class Bytes:
    """A TCP connection, spoken to by hand."""

    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def send_if_open(self, data):
        """For a peer that may have closed in the middle."""
        with contextlib.suppress(ConnectionError):
            self.send(data)

    def more(self):
        """False at the end, however it came."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            return False
        self.buffer += data
        return bool(data)

    def until_closed(self):
        """Everything up to the end; a TimeoutError if there is none."""
        while self.more():
            pass
        return self.buffer

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            if not self.more():
                break
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def status(self):
        """The status code of the answer; 0 if the connection was closed without one."""
        line = self.head().split("\r\n")[0].split(" ")
        return int(line[1]) if len(line) > 1 else 0

    # frames

    def open(self, path, **changes):
        self.send(upgrade(path, **changes))
        assert self.status() == 101
        return self

    def exactly(self, size):
        while len(self.buffer) < size:
            if not self.more():
                raise ConnectionError("closed")
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def frame(self):
        """(opcode, payload) of the next frame; servers don't mask and we never split."""
        first, second = self.exactly(2)
        assert first & 0x80 and not first & 0x70 and not second & 0x80
        size = second
        if size == 126:
            size = struct.unpack(">H", self.exactly(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.exactly(8))[0]
        return first & 15, self.exactly(size)

    def close_code(self):
        """The code of the close frame that comes, past other frames, and the end behind it."""
        while True:
            opcode, payload = self.frame()
            if opcode == CLOSE:
                assert len(payload) > 2, "a close without a reason"
                return struct.unpack(">H", payload[:2])[0]

    def receive(self):
        """The payload of the next message, past pings."""
        while True:
            opcode, payload = self.frame()
            if opcode in (TEXT, BINARY):
                return payload


def upgrade(path="/ws/x", method="GET", version="HTTP/1.1", drop=(), extra=(), **fields):
    """A handshake; fields as host="…", sec_websocket_key="…" replace the usual ones."""
    headers = {"Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade",
               "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}
    names = {name.lower().replace("-", "_"): name for name in headers}
    for field, value in fields.items():
        headers[names.get(field, field.replace("_", "-"))] = value
    lines = [f"{method} {path} {version}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name not in drop]
    return "\r\n".join([*lines, *extra, "", ""])


def frame(payload=b"", opcode=TEXT, fin=True, mask=True, reserved=0, size=None):
    """A client's frame. `size` claims another length than the payload has."""
    size = len(payload) if size is None else size
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    bit = 0x80 if mask else 0
    if size < 126:
        head = struct.pack(">BB", first, bit | size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", first, bit | 126, size)
    else:
        head = struct.pack(">BBQ", first, bit | 127, size)
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
