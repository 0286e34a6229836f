// The npm package centrifuge, as it is published, with subscriptions that the server makes.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';

import {Centrifuge} from 'centrifuge';
import WebSocket from 'ws';

import {Cluster, room, until} from '../cluster.mjs';

const NAMESPACES = {default: {history: {size: 1000, ttl: '1h'}}, told: {join_leave: true}};

let cluster;
let clients = [];
afterEach(async () => {
  clients.forEach((client) => client.disconnect());
  clients = [];
  await cluster.stop();
});

async function start() {
  cluster = await Cluster.start({relay: {namespaces: NAMESPACES}});
}

// Each connection goes to the next edge, as behind a load balancer. `heard` has a line for each event.
function open(claims) {
  let turn = 0;
  class Roaming extends WebSocket {
    constructor(url, ...rest) {
      super(`${cluster.edges[turn++ % cluster.edges.length].ws}/connection/websocket`, ...rest);
    }
  }
  const client = new Centrifuge('ws://to-be-replaced/', {websocket: Roaming, getToken: async () => cluster.token(claims),
    minReconnectDelay: 20, maxReconnectDelay: 100});
  client.heard = [];
  client.connections = 0;
  client.on('error', () => {});
  client.on('connected', () => { client.connections++; });
  client.on('subscribed', (context) => client.heard.push(['subscribed', context.channel, context]));
  client.on('unsubscribed', ({channel}) => client.heard.push(['unsubscribed', channel]));
  client.on('publication', ({channel, data}) => client.heard.push(['publication', channel, data]));
  client.on('join', ({channel, info}) => client.heard.push(['join', channel, info.user]));
  client.on('leave', ({channel, info}) => client.heard.push(['leave', channel, info.user]));
  clients.push(client);
  client.connect();
  return client;
}

const of = (client, what) => client.heard.filter(([event]) => event === what);
const publish = (channel, data) => cluster.api(cluster.edges[1], 'publish', {channel, data});

test('a token subscribes its client to channels', async () => {
  await start();
  const [one, two] = [room(), room()];
  const client = open({sub: 'ann', subs: {[one]: {data: {hi: 1}}, [two]: {}}});
  await client.ready(5000);
  await until(() => of(client, 'subscribed').length === 2, 'both are told');
  const context = of(client, 'subscribed').find(([, channel]) => channel === one)[2];
  assert.equal(context.recoverable, true);
  assert.equal(context.positioned, true);
  assert.deepEqual(context.data, {hi: 1});
  await publish(one, 1);
  await publish(two, 2);
  await until(() => of(client, 'publication').length === 2, 'publications of both');
});

test('what such a client misses on its way to another edge is told once, in order', async () => {
  await start();
  const channel = room();
  const client = open({sub: 'ann', channels: [channel]});
  await client.ready(5000);
  let killed;
  for (let n = 0; n < 200; n++) {
    if (n === 50) killed = cluster.tell(`kill ${cluster.edges[0].name}`);
    await publish(channel, n);
  }
  await killed;
  await until(() => of(client, 'publication').length >= 200, 'all have come');
  assert.deepEqual(of(client, 'publication').map(([, , data]) => data), Array.from({length: 200}, (_, n) => n));
  assert.equal(of(client, 'subscribed').at(-1)[2].recovered, true);
  assert.equal(client.connections, 2);
});

test('a back end subscribes and unsubscribes the clients of a user on all edges', async () => {
  await start();
  const channel = room();
  await publish(channel, 'before');
  const first = await publish(channel, 'missed');
  const since = {epoch: first.result.epoch, offset: first.result.offset - 1};
  const [here, there, other] = [open({sub: 'ann'}), open({sub: 'ann'}), open({sub: 'bob'})];
  await Promise.all([here, there, other].map((client) => client.ready(5000)));
  const answer = await cluster.api(cluster.edges[0], 'subscribe', {user: 'ann', channel, data: {by: 'us'}, recover_since: since});
  assert.deepEqual(answer, {result: {}});
  await until(() => [here, there].every((client) => of(client, 'publication').length === 1), 'what was missed has come');
  await publish(channel, 'live');
  for (const client of [here, there]) {
    await until(() => of(client, 'publication').length === 2, 'the live one has come');
    assert.deepEqual(of(client, 'publication').map(([, , data]) => data), ['missed', 'live']);
    assert.deepEqual(of(client, 'subscribed')[0][2].data, {by: 'us'});
  }
  assert.deepEqual(await cluster.api(cluster.edges[1], 'unsubscribe', {user: 'ann', channel}), {result: {}});
  await until(() => [here, there].every((client) => of(client, 'unsubscribed').length === 1), 'both are told');
  assert.deepEqual(other.heard, []);
});

test('such clients hear who joins and leaves where the token says so', async () => {
  await start();
  const channel = `told:${room()}`;
  const client = open({sub: 'ann', subs: {[channel]: {override: {force_push_join_leave: {value: true}}}}});
  await client.ready(5000);
  await until(() => of(client, 'join').length === 1, 'it hears of itself');
  const other = open({sub: 'bob', channels: [channel]});
  await other.ready(5000);
  await until(() => of(client, 'join').length === 2, 'it hears of the other');
  other.disconnect();
  await until(() => of(client, 'leave').length === 1, 'it hears that the other has left');
  assert.deepEqual(client.heard.filter(([event]) => event !== 'subscribed'),
    [['join', channel, 'ann'], ['join', channel, 'bob'], ['leave', channel, 'bob']]);
  assert.deepEqual(of(other, 'join'), []);
});
