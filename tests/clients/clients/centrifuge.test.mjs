// The npm package centrifuge, as it is published, against two edges.
import assert from 'node:assert/strict';
import {after, afterEach, before, test} from 'node:test';

import {Centrifuge} from 'centrifuge';
import WebSocket from 'ws';

import {Cluster, next, room, until} from '../cluster.mjs';

let cluster, one, two;
const open = [];

before(async () => {
  cluster = await Cluster.start({edge: {ping: {interval: '1s', timeout: '500ms'}}});
  [one, two] = cluster.edges;
});
after(() => cluster.stop());
afterEach(() => open.splice(0).forEach((client) => client.disconnect()));

function makeClient(edge, options = {}) {
  const client = new Centrifuge(`${edge.ws}/connection/websocket`, {
    websocket: WebSocket, minReconnectDelay: 50, maxReconnectDelay: 200, ...options,
  });
  client.on('error', () => {}); // those that matter are looked at where they are expected
  open.push(client);
  return client;
}

async function connect(edge, options) {
  const client = makeClient(edge, options);
  client.connect();
  await client.ready(5000);
  return client;
}

// When a token ends that is good for so many seconds.
const soon = (seconds) => Math.floor(Date.now() / 1000) + seconds;

async function subscribe(client, channel, options = {}) {
  const subscription = client.newSubscription(channel, {minResubscribeDelay: 50, maxResubscribeDelay: 200, ...options});
  subscription.heard = [];
  subscription.on('publication', (context) => subscription.heard.push(context.data));
  subscription.on('error', () => {});
  subscription.subscribe();
  await subscription.ready(5000);
  return subscription;
}

test('an anonymous client connects and gets an id', async () => {
  const client = makeClient(one);
  const connected = next(client, 'connected');
  client.connect();
  const context = await connected;
  assert.match(context.client, /^[0-9a-f-]{36}$/);
  assert.equal(context.transport, 'websocket');
});

for (const [name, from, to] of [['there', 0, 1], ['back', 1, 0]]) {
  test(`what is published on one edge arrives on the other: ${name}`, async () => {
    const channel = room();
    const listener = await subscribe(await connect(cluster.edges[to]), channel);
    const speaker = await connect(cluster.edges[from]);
    const values = [{n: 1}, 'text', '', 1.1, null, true, [], {deep: {er: ['\u20ac', '\u{1f9f5}']}}, 'x'.repeat(60000)];
    for (const value of values) await speaker.publish(channel, value);
    await until(() => listener.heard.length === values.length, 'all arrive');
    assert.deepEqual(listener.heard, values);
  });
}

test('a publication tells who sent it', async () => {
  const channel = room();
  const subscription = await subscribe(await connect(two), channel);
  const speaker = await connect(one, {token: cluster.token({sub: 'ann', info: {name: 'Ann'}})});
  const heard = next(subscription, 'publication');
  await speaker.publish(channel, 1);
  const {info} = await heard;
  assert.equal(info.user, 'ann');
  assert.deepEqual(info.connInfo, {name: 'Ann'});
});

test('a token is fetched and lets in', async () => {
  let fetched = 0;
  const client = await connect(one, {getToken: async () => { fetched++; return cluster.token({sub: 'bob'}); }});
  assert.equal(fetched, 1);
  const channel = `auth:${room()}`;
  const subscription = await subscribe(client, channel);
  await client.publish(channel, 1);
  await until(() => subscription.heard.length === 1, 'it arrives');
});

test('an expired token is fetched anew', async () => {
  const tokens = [cluster.token({sub: 'bob', exp: 1}), cluster.token({sub: 'bob'})];
  let fetched = 0;
  const client = makeClient(one, {getToken: async () => tokens[Math.min(fetched++, 1)]});
  client.connect();
  await client.ready(5000);
  assert.equal(fetched, 2);
});

// That a third token is fetched shows that the second one was taken: its answer says when to come back.
test('when a token ends another is fetched, and the connection goes on', async () => {
  const happened = [];
  const client = await connect(one, {getToken: async () => {
    happened.push('token');
    return cluster.token({sub: 'bob', exp: soon(happened.length < 3 ? 2 : 600)});
  }});
  client.on('connecting', () => happened.push('connecting'));
  client.on('disconnected', () => happened.push('disconnected'));
  await until(() => happened.length >= 3, 'three tokens are fetched');
  assert.deepEqual(happened, ['token', 'token', 'token']);
  await (await subscribe(client, room())).publish('still here');
});

test('when a subscription token ends another is fetched, and the subscription goes on', async () => {
  const channel = `$${room()}`;
  const happened = [];
  const client = await connect(two, {token: cluster.token({sub: 'bob'})});
  const subscription = await subscribe(client, channel, {
    getToken: async () => {
      happened.push('token');
      return cluster.token({sub: 'bob', channel, exp: soon(happened.length < 3 ? 2 : 600)});
    },
  });
  subscription.on('subscribing', () => happened.push('subscribing'));
  subscription.on('unsubscribed', () => happened.push('unsubscribed'));
  await until(() => happened.length >= 3, 'three tokens are fetched');
  assert.deepEqual(happened, ['token', 'token', 'token']);
  await client.publish(channel, 'still here');
  await until(() => subscription.heard.length === 1, 'it arrives');
});

test('a new token of somebody else ends the client for good', async () => {
  let fetched = 0;
  const client = makeClient(one, {getToken: async () => cluster.token({
    sub: fetched++ ? 'eve' : 'bob', exp: soon(2),
  })});
  const disconnected = next(client, 'disconnected');
  client.connect();
  assert.equal((await disconnected).code, 3500);
});

test('without another token the client goes away when its own ends', async () => {
  const client = makeClient(one, {token: cluster.token({sub: 'bob', exp: soon(2)})});
  const disconnected = next(client, 'disconnected');
  client.connect();
  assert.equal((await disconnected).code, 1);
});

test('a back end ends a connection before its token does, and it comes back with another', async () => {
  const client = await connect(one, {getToken: async () => cluster.token({sub: 'fay'})});
  for (const end of [{expire_at: soon(-26)}, {expired: true}]) {
    const connecting = next(client, 'connecting');
    assert.deepEqual(await cluster.api(two, 'refresh', {user: 'fay', ...end}), {result: {}});
    assert.equal((await connecting).code, 3005);
    await client.ready(5000);
  }
});

test('an invalid token ends the client for good', async () => {
  const client = makeClient(one, {token: 'a.b.c'});
  const disconnected = next(client, 'disconnected');
  client.connect();
  const {code, reason} = await disconnected;
  assert.equal(code, 3500);
  assert.equal(reason, 'invalid token');
  assert.equal(client.state, 'disconnected');
});

test('a subscription token opens a locked channel', async () => {
  const channel = `locked:${room()}`;
  const client = await connect(one);
  let asked;
  const subscription = await subscribe(client, channel, {
    getToken: async (context) => { asked = context.channel; return cluster.token({channel}); },
  });
  assert.equal(asked, channel);
  await client.publish(channel, 'in');
  await until(() => subscription.heard.length === 1, 'it arrives');
});

for (const [channel, code] of [['nowhere:x', 102], ['silent:x', 103], ['auth:x', 103], ['a b', 107]]) {
  test(`a subscription to ${channel} ends with ${code} and is not tried again`, async () => {
    const client = await connect(one);
    const subscription = client.newSubscription(channel);
    const unsubscribed = next(subscription, 'unsubscribed');
    subscription.subscribe();
    assert.equal((await unsubscribed).code, code);
    assert.equal(client.state, 'connected');
  });
}

test('presence and its stats tell the clients of both edges', async () => {
  const channel = room();
  const first = await subscribe(await connect(one, {token: cluster.token({sub: 'ann'})}), channel);
  await subscribe(await connect(two), channel);
  const clients = await until(async () => {
    const here = Object.values((await first.presence()).clients);
    return here.length === 2 && here;
  }, 'both are present');
  assert.deepEqual(clients.map((client) => client.user).sort(), ['', 'ann']);
  const {numClients, numUsers} = await first.presenceStats();
  assert.deepEqual([numClients, numUsers], [2, 2]);
});

test('what is not there is told as not available', async () => {
  const channel = `nohistory:${room()}`;
  const client = await connect(one);
  const subscription = await subscribe(client, channel);
  await assert.rejects(subscription.history({limit: 1}), {code: 108});
  await assert.rejects(client.rpc('now', {}), {code: 108});
});

test('after unsubscribe nothing comes, and subscribing again works', async () => {
  const channel = `nohistory:${room()}`;
  const client = await connect(one);
  const subscription = await subscribe(client, channel);
  subscription.unsubscribe();
  const witness = await subscribe(await connect(one), channel);
  await client.publish(channel, 'unheard');
  await until(() => witness.heard.length === 1, 'the witness hears it');
  assert.deepEqual(subscription.heard, []);
  subscription.subscribe();
  await subscription.ready(5000);
  await client.publish(channel, 'heard');
  await until(() => subscription.heard.length === 1, 'it arrives');
  assert.deepEqual(subscription.heard, ['heard']);
});

test('a batch of commands goes in one frame and each is answered', async () => {
  const channel = room();
  const client = await connect(one);
  const subscription = await subscribe(client, channel);
  client.startBatching();
  const answers = Array.from({length: 200}, (_, n) => client.publish(channel, n));
  client.stopBatching();
  await Promise.all(answers);
  await until(() => subscription.heard.length === 200, 'all arrive');
  assert.deepEqual(subscription.heard, Array.from({length: 200}, (_, n) => n));
});

test('subscriptions made before connecting go along with it', async () => {
  const client = makeClient(one);
  const subscriptions = Array.from({length: 20}, () => client.newSubscription(room()));
  subscriptions.forEach((subscription) => subscription.subscribe());
  client.connect();
  await Promise.all(subscriptions.map((subscription) => subscription.ready(5000)));
});

test('pings keep a quiet client connected', async () => {
  const client = await connect(one);
  let drops = 0;
  client.on('connecting', () => drops++);
  let pings = 0;
  const socket = client._transport._transport; // the WebSocket inside
  socket.addEventListener('message', (event) => { if (event.data === '{}') pings++; });
  await until(() => pings >= 3, 'three pings');
  assert.equal(drops, 0);
});

test('a message over the limit ends the client', async () => {
  const client = await connect(one);
  const disconnected = next(client, 'disconnected');
  client.publish(room(), 'x'.repeat(2 << 20)).catch(() => {});
  assert.equal((await disconnected).code, 3); // the library's own number for 1009
});

test('a client that a back end disconnects stays away, and is told why', async () => {
  const client = await connect(one, {token: cluster.token({sub: 'cid'})});
  const disconnected = next(client, 'disconnected');
  await cluster.api(two, 'disconnect', {user: 'cid', disconnect: {code: 4500, reason: 'go away'}});
  const {code, reason} = await disconnected;
  assert.deepEqual([code, reason], [4500, 'go away']);
});

test('a subscription that a back end ends is not made again', async () => {
  const channel = room();
  const subscription = await subscribe(await connect(one, {token: cluster.token({sub: 'dee'})}), channel);
  const unsubscribed = next(subscription, 'unsubscribed');
  await cluster.api(two, 'unsubscribe', {user: 'dee', channel});
  assert.equal((await unsubscribed).code, 2000);
});

test('what a back end publishes arrives', async () => {
  const channel = room();
  const subscription = await subscribe(await connect(one), channel);
  await cluster.api(two, 'publish', {channel, data: {from: 'back end'}});
  await until(() => subscription.heard.length === 1, 'it arrives');
  assert.deepEqual(subscription.heard, [{from: 'back end'}]);
});
