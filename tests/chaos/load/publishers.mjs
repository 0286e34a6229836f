// Publishers, and what they know of a publication's fate: ok, fail (it certainly isn't there) or unknown.
import http from 'node:http';

import {Edges, connect} from './edges.mjs';

// Errors after which nothing was published; behind any other one nobody knows.
const DEFINITE = new Set([101, 102, 103, 106, 107, 108, 109]);

export class CentrifugePublisher {
  constructor(load, name, first) {
    this.load = load;
    this.client = connect(load, name, new Edges(load.options.edges, first));
    this.via = 'centrifuge';
  }

  get isReady() {
    return this.client.state === 'connected';
  }

  // `text` is the JSON of `data`.
  async publish(id, channel, data) {
    try {
      await this.client.publish(channel, data);
      this.load.settle('ok', id, '"",0');
    } catch ({code = 0}) {
      this.load.settle(DEFINITE.has(code) ? 'fail' : 'unknown', id, code);
    }
  }

  leave() {
    this.client.disconnect();
  }
}

const SLOTS = 4; // requests of one publisher at once

export class ApiPublisher {
  constructor(load, name, first) {
    this.load = load;
    this.edges = new Edges(load.options.edges, first);
    this.edge = this.edges.take();
    this.agent = new http.Agent({keepAlive: true, maxSockets: SLOTS});
    this.via = 'api';
    this.running = 0;
  }

  get isReady() {
    return this.running < SLOTS;
  }

  publish(id, channel, data, text) {
    this.running++;
    const settle = (result, fields) => {
      if (!settle.isDone) {
        settle.isDone = true;
        this.running--;
        this.load.settle(result, id, fields);
      }
    };
    const failed = (error) => {
      this.edge = this.edges.take();
      const isRefused = error.code === 'ECONNREFUSED';
      settle(isRefused ? 'fail' : 'unknown', 0);
    };
    const body = `{"channel":"${channel}","data":${text}}`;
    const request = http.request(`${this.edge.api}/api/publish`, {
      method: 'POST',
      agent: this.agent,
      timeout: this.load.options.timeout,
      headers: {'X-API-Key': this.load.options.apiKey, 'Content-Length': body.length},
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', failed);
    request.on('response', (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', failed);
      response.on('end', () => this.answered(response, Buffer.concat(parts).toString(), settle));
    });
    request.end(body);
  }

  answered({statusCode, complete}, text, settle) {
    if (!complete || statusCode >= 500) {
      this.edge = this.edges.take();
      return settle('unknown', statusCode);
    }
    if (statusCode !== 200) return settle('fail', statusCode);
    const {result, error} = JSON.parse(text);
    if (result) return settle('ok', `${JSON.stringify(result.epoch ?? '')},${result.offset ?? 0}`);
    return settle(DEFINITE.has(error.code) ? 'fail' : 'unknown', error.code);
  }

  leave() {
    this.agent.destroy();
  }
}
