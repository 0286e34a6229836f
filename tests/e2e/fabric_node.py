"""A node of the fabric in Python, written from protocol/README.md and with nothing of Heddle's own: ZeroMQ, and
msgpack. It does what a test wants it to do, also what no node should."""
import os
import struct

import msgpack
import zmq

from heddle_cluster import PATIENCE

VERSION = 1
HELLO_ADDRESS = b"heddle?!"
SEEK, HERE, HELLO, WELCOME, REFUSE, BEAT, RESEND, RESET, BYE = range(1, 10)
SUB, SUB_OK, SUB_NO, UNSUB, PUB, PUB_OK, PUB_NO, MSG = range(16, 24)
TOOL = 4


class FabricNode:
    def __init__(self, relay_address, id_=None, cluster="heddle", keys=None):
        """`keys`: its public key, its secret key and the relays' public key, where the fabric has keys."""
        host, _, port = relay_address.rpartition(":")
        self.id = int.from_bytes(os.urandom(8), "big") >> 1 if id_ is None else id_
        self.cluster = cluster
        self.session = 1
        self.sent = self.received = self.their_session = 0
        self.context = zmq.Context()
        self.out = self.context.socket(zmq.XPUB)  # a PUB that tells who has subscribed
        self.into = self.context.socket(zmq.SUB)
        for socket in (self.out, self.into):
            socket.linger = 0
            socket.rcvtimeo = int(PATIENCE * 1000)
            if keys:
                socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = keys
        self.into.subscribe(self.address(self.id))
        self.out.connect(relay_address)
        self.into.connect(f"{host}:{int(port) + 1}")
        # the relay listens to its own id and to the hello address
        wanted = {self.out.recv()[1:], self.out.recv()[1:]}
        assert HELLO_ADDRESS in wanted
        self.relay_address = (wanted - {HELLO_ADDRESS}).pop()
        self.relay = int.from_bytes(self.relay_address, "big")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.destroy()

    @staticmethod
    def address(id_):
        return struct.pack(">Q", id_)

    def send_bytes(self, data, to=None):
        self.out.send((self.relay_address if to is None else to) + data)

    def send(self, *envelopes, to=None, version=VERSION, source=None, session=None, seq=None, ack=None):
        header = [version, self.id if source is None else source, self.session if session is None else session,
                  seq or 0, self.their_session, self.received if ack is None else ack]
        self.send_bytes(msgpack.packb(header) + b"".join(map(msgpack.packb, envelopes)), to)

    def send_numbered(self, *envelopes):
        self.sent += 1
        self.send(*envelopes, seq=self.sent)

    def receive(self):
        """(header, envelopes) of the next message."""
        data = self.into.recv()
        unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        unpacker.feed(data[8:])
        header, *envelopes = unpacker
        if header[3] == self.received + 1:
            self.received += 1
        return header, envelopes

    def wait(self, kind):
        """The next envelope of this kind, past all others."""
        while True:
            for envelope in self.receive()[1]:
                if envelope[0] == kind:
                    return envelope

    def ask(self, kinds, *envelopes, **options):
        """Says it again until one of these kinds comes: the first answers may be lost, as long as the relay has not
        heard yet that we listen. (header, envelope)."""
        self.into.rcvtimeo = 300
        try:
            for _ in range(int(PATIENCE / 0.3)):
                self.send(*envelopes, **options)
                try:
                    header, answers = self.receive()
                except zmq.Again:
                    continue
                if answers and answers[0][0] in kinds:
                    return header, answers[0]
        finally:
            self.into.rcvtimeo = int(PATIENCE * 1000)
        raise AssertionError(f"no answer to {envelopes}")

    def greet(self):
        """Opens the link: HELLO until WELCOME."""
        header, answer = self.ask((WELCOME, REFUSE), [HELLO, VERSION, "a test", TOOL, self.cluster, "python"], ack=0)
        self.their_session = header[2]
        return answer
