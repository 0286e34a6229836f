// The npm package ws as a raw client: no protocol but WebSocket.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {after, afterEach, before, test} from 'node:test';

import WebSocket from 'ws';

import {Cluster, next, room, until} from '../cluster.mjs';

let cluster;
const open = [];
before(async () => { cluster = await Cluster.start(); });
after(() => cluster.stop());
afterEach(() => open.splice(0).forEach((socket) => socket.terminate()));

// Listens once what it sends comes back; `heard` holds [data, isBinary] of what comes after that.
async function connect(edge, channel, query = '', options = {}) {
  const socket = new WebSocket(`${edge.ws}/ws/${channel}${query}`, options);
  open.push(socket);
  socket.heard = [];
  socket.on('message', (data, isBinary) => {
    if (!String(data).startsWith('probe:')) socket.heard.push([data, isBinary]);
  });
  await once(socket, 'open');
  if (!query) {
    const probe = `probe:${Math.random()}`;
    const back = new Promise((resolve) => {
      socket.on('message', (data) => { if (String(data) === probe) resolve(); });
    });
    socket.send(probe);
    await back;
  }
  return socket;
}

const payloads = {
  text: 'hello', 'an empty text': '', 'one letter': 'x', '64 KiB': 'y'.repeat(65536), 'UTF-8': '\u20ac \u{1f9f5}',
  'a large number': '12345678901234567890', bytes: Buffer.from([0, 1, 254, 255]), 'no bytes': Buffer.alloc(0),
  '64 KiB of bytes': Buffer.alloc(65536, 7),
};

for (const [name, payload] of Object.entries(payloads)) {
  for (const [from, to] of [[0, 1], [1, 0]]) {
    test(`${name}: from edge ${from + 1} to edge ${to + 1}`, async () => {
      const channel = room();
      const listener = await connect(cluster.edges[to], channel);
      const speaker = await connect(cluster.edges[from], channel, '?mode=pub');
      speaker.send(payload);
      await until(() => listener.heard.length === 1, 'it arrives');
      const [data, isBinary] = listener.heard[0];
      assert.equal(isBinary, Buffer.isBuffer(payload));
      assert.deepEqual(data, Buffer.from(payload));
    });
  }
}

test('the example that people come from: all on channel 1 hear all', async () => {
  const sockets = [];
  const channel = room();
  for (let n = 0; n < 10; n++) sockets.push(await connect(cluster.edges[n % 2], channel));
  sockets.forEach((socket, n) => socket.send(`from ${n}`));
  await until(() => sockets.every((socket) => socket.heard.length === 10), 'all hear all');
  const texts = sockets.map((socket) => socket.heard.map(([data]) => String(data)));
  texts.forEach((heard) => assert.deepEqual(heard, texts[0]));
});

test('a client that offers compression is served without', async () => {
  const socket = await connect(cluster.edges[0], room(), '', {perMessageDeflate: true});
  assert.equal(socket.extensions, '');
});

test('a ping is answered', async () => {
  const socket = await connect(cluster.edges[0], room());
  const pong = next(socket, 'pong');
  socket.ping('are you there');
  assert.equal(String(await pong), 'are you there');
});

test('a close is answered with its code', async () => {
  const socket = await connect(cluster.edges[0], room());
  const closed = once(socket, 'close');
  socket.close(4001, 'bye');
  const [code] = await closed;
  assert.equal(code, 4001);
});

test('a refused handshake comes as an HTTP status', async () => {
  const socket = new WebSocket(`${cluster.edges[0].ws}/nowhere`);
  const [error] = await once(socket, 'error');
  assert.match(error.message, /404/);
});

test('a message over the limit is closed with 1009', async () => {
  const socket = await connect(cluster.edges[0], room());
  const closed = once(socket, 'close');
  socket.send('x'.repeat((1 << 20) + 1));
  assert.equal((await closed)[0], 1009);
});
