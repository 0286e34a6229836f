// The npm package centrifuge, as it is published, hears who joins and who leaves.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';

import {Centrifuge} from 'centrifuge';
import WebSocket from 'ws';

import {Cluster, room, until} from '../cluster.mjs';

const NAMESPACES = {default: {}, told: {join_leave: true}, forced: {join_leave: true, force_push_join_leave: true}};

let cluster;
before(async () => {
  cluster = await Cluster.start({relay: {namespaces: NAMESPACES}});
});
after(() => cluster.stop());

async function open(edge, user) {
  const token = user && cluster.token({sub: user, info: {name: user}});
  const client = new Centrifuge(`${cluster.edges[edge].ws}/connection/websocket`, {websocket: WebSocket, token,
    minReconnectDelay: 20, maxReconnectDelay: 100});
  client.on('error', () => {});
  client.on('connected', ({client: id}) => { client.id = id; });
  client.connect();
  await client.ready(5000);
  return client;
}

// A subscription whose `heard` has a line for each who comes or goes.
async function listen(client, channel, options = {joinLeave: true}) {
  const subscription = client.newSubscription(channel, options);
  subscription.heard = [];
  subscription.on('join', ({info}) => subscription.heard.push(['join', info.client, info.user, info.connInfo]));
  subscription.on('leave', ({info}) => subscription.heard.push(['leave', info.client, info.user, info.connInfo]));
  subscription.subscribe();
  await subscription.ready(5000);
  return subscription;
}

const line = (what, client, user) => [what, client.id, user, user ? {name: user} : undefined];

test('who comes and goes is told on all edges, also to itself', async () => {
  const channel = `told:${room()}`;
  const [here, there] = [await open(0, 'ann'), await open(1, 'bob')];
  const listener = await listen(here, channel);
  await until(() => listener.heard.length === 1, 'it hears of itself');
  const visitor = await listen(there, channel);
  await until(() => listener.heard.length === 2 && visitor.heard.length === 1, 'both hear of the second');
  visitor.unsubscribe();
  await until(() => listener.heard.length === 3, 'it hears that the second has left');
  assert.deepEqual(listener.heard, [line('join', here, 'ann'), line('join', there, 'bob'), line('leave', there, 'bob')]);
  assert.deepEqual(visitor.heard, [line('join', there, 'bob')]);
  here.disconnect();
  there.disconnect();
});

test('who does not ask is told only where the namespace tells all', async () => {
  const channel = room();
  const [listener, visitor] = [await open(0), await open(1)];
  const [quiet, forced] = [await listen(listener, `told:${channel}`, {}), await listen(listener, `forced:${channel}`, {})];
  await listen(visitor, `told:${channel}`);
  await listen(visitor, `forced:${channel}`);
  await until(() => forced.heard.length === 2, 'it is told');
  assert.deepEqual(quiet.heard, []);
  listener.disconnect();
  visitor.disconnect();
});

test('the clients of a killed edge leave, each once, and are back when they are', async () => {
  const channel = `told:${room()}`;
  const [stays, ...others] = [await open(1, 'ann'), await open(0, 'bob'), await open(0, 'cem')];
  const listener = await listen(stays, channel);
  for (const other of others) await listen(other, channel);
  await until(() => listener.heard.length === 3, 'all are there');
  const before = others.map((other) => other.id);
  const killed = cluster.edges[0].name;
  await cluster.tell(`kill ${killed}`);
  await until(() => listener.heard.length === 5, 'both have left');
  assert.deepEqual(listener.heard.slice(3).map(([what, id]) => `${what} ${id}`).sort(),
    before.map((id) => `leave ${id}`).sort());
  await cluster.tell(`restart ${killed}`);
  await until(() => listener.heard.length === 7, 'both are back');
  assert.deepEqual(listener.heard.slice(5).map(([what, id]) => `${what} ${id}`).sort(),
    others.map((other) => `join ${other.id}`).sort());
  [stays, ...others].forEach((client) => client.disconnect());
});
