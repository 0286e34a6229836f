// The npm package centrifuge when processes die under it. Each test has a cluster of its own.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';

import {Centrifuge} from 'centrifuge';
import WebSocket from 'ws';

import {Cluster, next, room, until} from '../cluster.mjs';

let cluster;
let clients = [];
afterEach(async () => {
  clients.forEach((client) => client.disconnect());
  clients = [];
  await cluster.stop();
});

// A client that knows two addresses: each connection goes to the next one, as behind a load balancer.
function makeRoaming(edges, first) {
  let turn = first;
  class Roaming extends WebSocket {
    constructor(url, ...rest) {
      super(`${edges[turn++ % edges.length].ws}/connection/websocket`, ...rest);
    }
  }
  const client = new Centrifuge('ws://to-be-replaced/', {websocket: Roaming, minReconnectDelay: 20, maxReconnectDelay: 100});
  client.on('error', () => {});
  clients.push(client);
  return client;
}

function listen(client, channel) {
  const subscription = client.newSubscription(channel, {minResubscribeDelay: 20, maxResubscribeDelay: 100});
  subscription.heard = [];
  subscription.on('publication', ({data}) => subscription.heard.push(data));
  subscription.on('error', () => {});
  subscription.subscribe();
  return subscription;
}

test('a client of a killed edge goes on at the other', async () => {
  cluster = await Cluster.start();
  const channel = room();
  const roaming = makeRoaming(cluster.edges, 0);
  const subscription = listen(roaming, channel);
  roaming.connect();
  await subscription.ready(5000);
  const again = next(subscription, 'subscribed');
  await cluster.tell('kill edge-1');
  await again;
  await cluster.api(cluster.edges[1], 'publish', {channel, data: 'after'});
  await until(() => subscription.heard.includes('after'), 'it goes on');
});

test('a client of an edge that stops is sent away and goes on at the other', async () => {
  cluster = await Cluster.start();
  const channel = room();
  const roaming = makeRoaming(cluster.edges, 0);
  const subscription = listen(roaming, channel);
  roaming.connect();
  await subscription.ready(5000);
  const connecting = next(roaming, 'connecting');
  const again = next(subscription, 'subscribed');
  await cluster.tell('terminate edge-1');
  const {code, reason} = await connecting;
  assert.deepEqual([code, reason], [3001, 'shutdown']);
  await again;
  await cluster.api(cluster.edges[1], 'publish', {channel, data: 'after'});
  await until(() => subscription.heard.includes('after'), 'it goes on');
});

test('when the relay is killed and comes back, subscriptions go on by themselves and connections stay', async () => {
  cluster = await Cluster.start();
  const channel = room();
  const client = makeRoaming(cluster.edges.slice(0, 1), 0);
  const subscription = listen(client, channel);
  client.connect();
  await subscription.ready(5000);
  let drops = 0;
  client.on('connecting', () => drops++);
  await client.publish(channel, 'before');
  await until(() => subscription.heard.length === 1, 'it arrives');
  const again = next(subscription, 'subscribed');
  await cluster.tell('kill relay-1');
  await cluster.tell('restart relay-1');
  await again;
  await client.publish(channel, 'after');
  await until(() => subscription.heard.includes('after'), 'it goes on');
  assert.equal(drops, 0);
});
