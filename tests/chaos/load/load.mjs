// Subscribers and publishers, many in one process, which record what they see (tests/chaos/records.py).
//
//     node load.mjs OPTIONS
//
// OPTIONS is a JSON object; DEFAULTS says what there is. Commands come on stdin, one a line, and are answered by one
// line of JSON each; tests/chaos/load.py gives them.
//
//     status    how many there are, are on, were delivered, ...
//     publish   begins to publish
//     hold      stops, and answers when nothing is without an answer any more
//     leave     says goodbye, closes the record and ends
import readline from 'node:readline';

import {ApiPublisher, CentrifugePublisher} from './publishers.mjs';
import {Recorder, hash} from './recorder.mjs';
import {CentrifugeSubscriber, RawSubscriber} from './subscribers.mjs';

const DEFAULTS = {
  name: 'load',            // begins the names of all that is here
  file: 'load.jsonl',
  edges: [],               // [{ws: 'ws://…', api: 'http://…'}]
  secret: '',              // of tokens: everybody is somebody
  apiKey: '',
  channels: {prefix: 'chaos-', count: 10},
  subscribers: {centrifuge: 10, raw: 10}, // one channel each, in turn
  publishers: {centrifuge: 2, api: 2},
  rate: {centrifuge: 50, api: 50},        // publications a second, of all together
  payload: 64,             // bytes of filling
  timeout: 3000,           // ms, for an answer
  silence: 10000,          // ms without a sign of life (beyond the ping's time, for centrifuge) until an edge is given up
  ramp: 500,               // connections begun a second
};

const TICK_MS = 5;
const MAX_BURST = 100; // publications of one tick, when the process stood still

class Load {
  constructor(options) {
    this.options = {...DEFAULTS, ...options};
    this.recorder = new Recorder(this.options.file, this.options.name);
    this.isLeaving = false;
    this.delivered = 0;
    this.published = 0;
    this.results = {ok: 0, fail: 0, unknown: 0};
    this.subscribers = [];
    this.publishers = {centrifuge: [], api: []};
    const {prefix, count} = this.options.channels;
    this.channels = Array.from({length: count}, (_, n) => `${prefix}${n}`);
    this.fill = 'x'.repeat(this.options.payload);
  }

  // Connects everybody, not all at once.
  start() {
    const {name, subscribers, publishers, ramp} = this.options;
    const makers = [];
    const plan = (count, kind, make) => {
      for (let n = 0; n < count; n++) makers.push(() => make(`${name}.${kind}${n}`, n));
    };
    const channel = (n) => this.channels[n % this.channels.length];
    plan(publishers.api, 'api', (who, n) => this.publishers.api.push(new ApiPublisher(this, who, n)));
    plan(publishers.centrifuge, 'p', (who, n) =>
      this.publishers.centrifuge.push(new CentrifugePublisher(this, who, n)));
    plan(subscribers.centrifuge, 's', (who, n) =>
      this.subscribers.push(new CentrifugeSubscriber(this, who, channel(n), n)));
    plan(subscribers.raw, 'r', (who, n) => this.subscribers.push(new RawSubscriber(this, who, channel(n), n)));
    this.planned = subscribers.centrifuge + subscribers.raw;
    const each = Math.max(1, Math.ceil((ramp * 20) / 1000));
    const timer = setInterval(() => {
      makers.splice(0, each).forEach((make) => make());
      if (makers.length === 0) clearInterval(timer);
    }, 20);
    setInterval(() => this.subscribers.forEach((one) => one.watch?.()), 1000).unref();
  }

  status() {
    return {
      subscribers: this.planned,
      subscribed: this.subscribers.filter((one) => one.isSubscribed).length,
      delivered: this.delivered,
      published: this.published,
      records: this.recorder.lines,
      cpu: process.cpuUsage(), // microseconds
      ...this.results,
    };
  }

  publish() {
    for (const kind of Object.keys(this.publishers)) this.pace(kind, this.options.rate[kind]);
    return this.status();
  }

  // Publishes `rate` a second in turn through those publishers that can.
  pace(kind, rate) {
    const publishers = this.publishers[kind];
    let turn = 0;
    let last = performance.now();
    let due = 0;
    const tick = () => {
      const now = performance.now();
      due = Math.min(due + ((now - last) * rate) / 1000, MAX_BURST);
      last = now;
      for (let tries = 0; due >= 1 && tries < publishers.length; ) {
        const publisher = publishers[turn++ % publishers.length];
        if (publisher.isReady) {
          this.publishOne(publisher);
          due--;
          tries = 0;
        } else {
          tries++;
        }
      }
    };
    (this.paces ??= []).push(setInterval(tick, TICK_MS));
  }

  publishOne(publisher) {
    const id = `${this.options.name}.${++this.published}`;
    const channel = this.channels[Math.floor(Math.random() * this.channels.length)];
    const data = {id, fill: this.fill};
    const text = JSON.stringify(data);
    this.recorder.add('invoke', `"${id}","${channel}",${hash(text)},"${publisher.via}"`);
    publisher.publish(id, channel, data, text);
  }

  settle(result, id, fields) {
    this.results[result]++;
    this.recorder.add(result, `"${id}",${fields}`);
    this.settled?.();
  }

  get open() {
    const {ok, fail, unknown} = this.results;
    return this.published - ok - fail - unknown;
  }

  async hold() {
    this.paces?.splice(0).forEach(clearInterval);
    while (this.open > 0) await new Promise((resolve) => (this.settled = resolve));
    return this.status();
  }

  async leave() {
    await this.hold();
    this.isLeaving = true;
    const {name} = this.options;
    const record = (who) => this.recorder.add('leave', `"${who}"`);
    for (let n = 0; n < this.options.subscribers.centrifuge; n++) record(`${name}.s${n}`);
    for (let n = 0; n < this.options.subscribers.raw; n++) record(`${name}.r${n}`);
    for (let n = 0; n < this.options.publishers.centrifuge; n++) record(`${name}.p${n}`);
    const status = this.status();
    this.recorder.close();
    for (const one of [...this.subscribers, ...Object.values(this.publishers).flat()]) one.leave();
    return status;
  }
}

const load = new Load(JSON.parse(process.argv[2]));
load.start();
const commands = {
  status: () => load.status(),
  publish: () => load.publish(),
  hold: () => load.hold(),
  leave: () => load.leave(),
};
const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
for await (const line of readline.createInterface({input: process.stdin})) {
  const command = commands[line.trim()];
  answer(command ? await command() : {error: `no command: ${line}`});
  if (line.trim() === 'leave') break;
}
if (!load.isLeaving) await load.leave();
setTimeout(() => process.exit(0), 1000).unref(); // for those that are not answered
process.stdin.destroy();
