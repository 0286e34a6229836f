// The npm package centrifuge, as it is published, goes on where it was.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';

import {Centrifuge} from 'centrifuge';
import WebSocket from 'ws';

import {Cluster, next, room, until} from '../cluster.mjs';

const HISTORY = {relay: {namespaces: {default: {history: {size: 1000, ttl: '1h'}}}}};

let cluster;
let clients = [];
afterEach(async () => {
  clients.forEach((client) => client.disconnect());
  clients = [];
  await cluster.stop();
});

// Each connection goes to the next address, as behind a load balancer.
function makeRoaming(edges) {
  let turn = 0;
  class Roaming extends WebSocket {
    constructor(url, ...rest) {
      super(`${edges[turn++ % edges.length].ws}/connection/websocket`, ...rest);
    }
  }
  const client = new Centrifuge('ws://to-be-replaced/', {websocket: Roaming, minReconnectDelay: 20, maxReconnectDelay: 100});
  client.on('error', () => {});
  clients.push(client);
  client.connect();
  return client;
}

async function listen(client, channel, options = {}) {
  const subscription = client.newSubscription(channel, {minResubscribeDelay: 20, maxResubscribeDelay: 100, ...options});
  subscription.heard = [];
  subscription.states = [];
  subscription.on('publication', ({data, offset}) => subscription.heard.push([data, offset]));
  subscription.on('subscribed', (context) => subscription.states.push(context));
  subscription.on('error', () => {});
  subscription.subscribe();
  await subscription.ready(5000);
  return subscription;
}

const numbers = (count) => Array.from({length: count}, (_, n) => [n, n + 1]);

test('a client of a killed edge misses nothing while publications go on', async () => {
  cluster = await Cluster.start(HISTORY);
  const channel = room();
  const subscription = await listen(makeRoaming(cluster.edges), channel);
  assert.equal(subscription.states[0].recoverable, true);
  assert.equal(subscription.states[0].wasRecovering, false);
  const speaker = makeRoaming(cluster.edges.slice(1));
  await speaker.ready(5000);
  let killed;
  for (let n = 0; n < 200; n++) {
    if (n === 50) killed = cluster.tell('kill edge-1');
    await speaker.publish(channel, n);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await killed;
  await until(() => subscription.heard.length >= 200, 'all arrive');
  assert.deepEqual(subscription.heard, numbers(200));
  assert.equal(subscription.states.length, 2);
  assert.equal(subscription.states[1].wasRecovering, true);
  assert.equal(subscription.states[1].recovered, true);
});

test('a subscription that was ended and begun again catches up', async () => {
  cluster = await Cluster.start(HISTORY);
  const channel = room();
  const client = makeRoaming(cluster.edges);
  const subscription = await listen(client, channel);
  await client.publish(channel, 0);
  await until(() => subscription.heard.length === 1, 'it arrives');
  subscription.unsubscribe();
  for (const n of [1, 2, 3]) await client.publish(channel, n);
  subscription.subscribe();
  await until(() => subscription.heard.length === 4, 'it catches up');
  assert.deepEqual(subscription.heard, numbers(4));
  assert.equal(subscription.states[1].recovered, true);
});

test('what the history has no more is not recovered, and the client knows', async () => {
  cluster = await Cluster.start({relay: {namespaces: {default: {history: {size: 3, ttl: '1h'}}}}});
  const channel = room();
  const client = makeRoaming(cluster.edges);
  const subscription = await listen(client, channel);
  subscription.unsubscribe();
  for (let n = 0; n < 5; n++) await client.publish(channel, n);
  const again = next(subscription, 'subscribed');
  subscription.subscribe();
  const {wasRecovering, recovered} = await again;
  assert.deepEqual([wasRecovering, recovered], [true, false]);
  await client.publish(channel, 'live');
  await until(() => subscription.heard.length === 1, 'it goes on');
  assert.deepEqual(subscription.heard, [['live', 6]]);
});

test('when the relay is killed, the position is gone and the client knows', async () => {
  cluster = await Cluster.start(HISTORY);
  const channel = room();
  const client = makeRoaming(cluster.edges);
  const subscription = await listen(client, channel);
  await client.publish(channel, 0);
  await until(() => subscription.heard.length === 1, 'it arrives');
  const again = next(subscription, 'subscribed');
  await cluster.tell('kill relay-1');
  await cluster.tell('restart relay-1');
  const {wasRecovering, recovered, streamPosition} = await again;
  assert.deepEqual([wasRecovering, recovered], [true, false]);
  assert.notEqual(streamPosition.epoch, subscription.states[0].streamPosition.epoch);
});

test('a subscription may begin at a position of its own', async () => {
  cluster = await Cluster.start(HISTORY);
  const channel = room();
  const client = makeRoaming(cluster.edges);
  const first = await listen(client, channel);
  for (let n = 0; n < 4; n++) await client.publish(channel, n);
  const other = await listen(makeRoaming(cluster.edges.slice(1)), channel,
    {since: {offset: 2, epoch: first.states[0].streamPosition.epoch}});
  await until(() => other.heard.length === 2, 'it catches up');
  assert.deepEqual(other.heard, [[2, 3], [3, 4]]);
});

test('history is read forwards, backwards and by pages', async () => {
  cluster = await Cluster.start(HISTORY);
  const channel = room();
  const client = makeRoaming(cluster.edges);
  const subscription = await listen(client, channel);
  for (let n = 0; n < 5; n++) await client.publish(channel, n);
  const top = await subscription.history();
  assert.deepEqual([top.publications, top.offset], [[], 5]);
  const data = async (options) => (await subscription.history(options)).publications.map((pub) => pub.data);
  assert.deepEqual(await data({limit: -1}), [0, 1, 2, 3, 4]);
  assert.deepEqual(await data({limit: 2, reverse: true}), [4, 3]);
  const page = await subscription.history({limit: 2});
  const since = {offset: page.publications[1].offset, epoch: page.epoch};
  assert.deepEqual(await data({limit: 2, since}), [2, 3]);
  assert.deepEqual(await data({limit: 9, since, reverse: true}), [0]);
  await assert.rejects(subscription.history({limit: 1, since: {offset: 1, epoch: 'abcdEFGH'}}), {code: 112});
});
