// Subscribers that keep their positions and go on from them, at whichever edge.
import {Edges, SOCKET_OPTIONS, WebSocket, connect, token} from './edges.mjs';
import {hash} from './recorder.mjs';

// [id, hash] of a payload, as JSON.
function identify(data, text) {
  return `${JSON.stringify(String(data?.id ?? ''))},${hash(text)}`;
}

export class CentrifugeSubscriber {
  constructor(load, name, channel, first) {
    this.load = load;
    this.head = `"${name}","${channel}"`; // of its records
    this.isSubscribed = false;
    this.client = connect(load, name, new Edges(load.options.edges, first));
    this.subscription = this.client.newSubscription(channel, {
      recoverable: true,
      positioned: true,
      minResubscribeDelay: 100,
      maxResubscribeDelay: 1000,
    });
    this.subscription.on('subscribed', (context) => this.subscribed(context));
    this.subscription.on('publication', ({offset, data}) => this.publication(offset, data));
    this.subscription.on('subscribing', ({code}) => this.unsubscribed(code));
    this.subscription.on('unsubscribed', ({code}) => this.unsubscribed(code));
    this.subscription.on('error', () => {});
    this.subscription.subscribe();
  }

  subscribed({streamPosition, recovered, wasRecovering}) {
    const {epoch, offset} = streamPosition ?? {epoch: '', offset: 0};
    this.isSubscribed = true;
    this.place = `${this.head},${JSON.stringify(epoch)}`;
    this.load.recorder.add('subscribed', `${this.place},${offset},${recovered},${wasRecovering}`);
  }

  publication(offset, data) {
    this.load.delivered++;
    this.load.recorder.add('pub', `${this.place},${offset ?? 0},${identify(data, JSON.stringify(data))}`);
  }

  unsubscribed(code) {
    if (this.isSubscribed && !this.load.isLeaving) {
      this.load.recorder.add('unsubscribed', `${this.head},${code}`);
    }
    this.isSubscribed = false;
  }

  leave() {
    this.client.disconnect();
  }
}

const GONE = 3010; // what was missed can't be had
const DELAY_MIN_MS = 100;
const DELAY_MAX_MS = 1000;

export class RawSubscriber {
  constructor(load, name, channel, first) {
    Object.assign(this, {load, name, channel, edges: new Edges(load.options.edges, first)});
    this.head = `"${name}","${channel}"`;
    this.token = token(load.options.secret, name);
    this.position = null; // {epoch, offset}
    this.delay = DELAY_MIN_MS;
    this.open();
  }

  get isSubscribed() {
    return this.place !== null;
  }

  open() {
    const edge = this.edges.take().ws;
    const since = this.position ? `&since=${this.position.epoch}:${this.position.offset}` : '';
    this.place = null; // until it is told where it is
    this.isRecovering = this.position !== null;
    this.heard = Date.now();
    this.load.recorder.add('connect', `"${this.name}","${edge}"`);
    this.socket = new WebSocket(
      `${edge}/ws/${encodeURIComponent(this.channel)}?mode=sub&positions=1${since}&token=${this.token}`,
      SOCKET_OPTIONS,
    );
    this.socket.on('open', () => this.opened());
    this.socket.on('message', (data) => this.message(data.toString('latin1')));
    this.socket.on('ping', () => (this.heard = Date.now()));
    this.socket.on('error', () => {});
    this.socket.on('close', (code) => this.closed(code));
  }

  opened() {
    this.isConnected = true;
    this.load.recorder.add('connected', `"${this.name}",""`);
  }

  message(text) {
    this.heard = Date.now();
    if (this.place === null) {
      this.told(JSON.parse(text));
      return;
    }
    this.position.offset++;
    this.load.delivered++;
    this.load.recorder.add('pub', `${this.place},${this.position.offset},${identify(parse(text), text)}`);
  }

  told({position, recovered = false}) {
    const [epoch, offset] = position.split(':');
    this.position = {epoch, offset: Number(offset)};
    this.delay = DELAY_MIN_MS;
    this.place = `${this.head},${JSON.stringify(epoch)}`;
    this.load.recorder.add('subscribed', `${this.place},${offset},${recovered},${this.isRecovering}`);
  }

  closed(code) {
    if (this.load.isLeaving) return;
    if (code === GONE) {
      this.load.recorder.add('refused', `${this.head},${code}`);
      this.position = null;
    }
    if (this.isConnected) this.load.recorder.add('disconnected', `"${this.name}",${code}`);
    this.isConnected = false;
    this.place = null;
    setTimeout(() => this.load.isLeaving || this.open(), this.delay * (0.5 + Math.random() / 2));
    this.delay = Math.min(2 * this.delay, DELAY_MAX_MS);
  }

  // An edge that pings no more is gone, whether its host says so or not.
  watch() {
    if (Date.now() - this.heard > this.load.options.silence) this.socket.terminate();
  }

  leave() {
    this.socket.close(1000);
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
