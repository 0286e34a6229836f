// Where clients connect: to the next edge of a list with each attempt, and who they say they are.
import {createHmac} from 'node:crypto';
import {createRequire} from 'node:module';

// The packages that tests/clients installs.
const require = createRequire(new URL('../../clients/package.json', import.meta.url));
export const WebSocket = require('ws');
export const {Centrifuge} = require('centrifuge');

const HANDSHAKE_MS = 2000; // a paused edge still accepts connections, and says nothing
const TOKEN_LIFE_S = 7 * 86400;

export const SOCKET_OPTIONS = {perMessageDeflate: false, handshakeTimeout: HANDSHAKE_MS};

export class Edges {
  constructor(list, first) {
    this.list = list;
    this.next = first;
  }

  take() {
    return this.list[this.next++ % this.list.length];
  }
}

// A class for the option `websocket` of the centrifuge library: what its URL says is passed over.
export function rotating(edges, onAttempt) {
  return class extends WebSocket {
    constructor(_url, protocols) {
      const {ws} = edges.take();
      onAttempt(ws);
      super(`${ws}/connection/websocket`, protocols, SOCKET_OPTIONS);
    }
  };
}

export function token(secret, user) {
  const part = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');
  const claims = {sub: user, exp: Math.floor(Date.now() / 1000) + TOKEN_LIFE_S};
  const signed = `${part({alg: 'HS256', typ: 'JWT'})}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

// A connection of the library that records what happens to it.
export function connect(load, name, edges) {
  const client = new Centrifuge('ws://rotating', {
    websocket: rotating(edges, (edge) => load.recorder.add('connect', `"${name}","${edge}"`)),
    minReconnectDelay: 100,
    maxReconnectDelay: 1000,
    timeout: load.options.timeout,
    maxServerPingDelay: load.options.silence,
    token: token(load.options.secret, name),
  });
  let isConnected = false;
  const lost = ({code}) => {
    if (isConnected) load.recorder.add('disconnected', `"${name}",${code}`);
    isConnected = false;
  };
  client.on('connected', (context) => {
    isConnected = true;
    load.recorder.add('connected', `"${name}",${JSON.stringify(context.client)}`);
  });
  client.on('connecting', lost);
  client.on('disconnected', (context) => {
    if (!load.isLeaving) lost(context);
  });
  client.on('error', () => {}); // what matters of it is seen by what follows
  client.connect();
  return client;
}
