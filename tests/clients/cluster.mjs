// A cluster for a test file: tests/e2e/serve.py starts it and does what it is told.
import {spawn} from 'node:child_process';
import {createHmac} from 'node:crypto';
import {once} from 'node:events';
import readline from 'node:readline';
import {fileURLToPath} from 'node:url';

const SERVE = fileURLToPath(new URL('../e2e/serve.py', import.meta.url));

export const PATIENCE_MS = 15000;

export class Cluster {
  static async start(options = {}) {
    const self = new Cluster();
    self.process = spawn('/usr/bin/python3', [SERVE, JSON.stringify(options)], {stdio: ['pipe', 'pipe', 'inherit']});
    self.ended = once(self.process, 'exit');
    self.lines = readline.createInterface({input: self.process.stdout})[Symbol.asyncIterator]();
    const {value} = await self.lines.next();
    if (!value) throw new Error('the cluster did not start');
    Object.assign(self, JSON.parse(value));
    self.edges = Object.values(self.processes).filter(({name}) => name.startsWith('edge'));
    return self;
  }

  async tell(command) {
    this.process.stdin.write(`${command}\n`);
    const {value} = await this.lines.next();
    if (value !== 'ok') throw new Error(`${command}: ${value}`);
  }

  async api(edge, method, body) {
    const answer = await fetch(`${edge.admin}/api/${method}`, {
      method: 'POST',
      headers: {'X-API-Key': this.apiKey},
      body: JSON.stringify(body),
    });
    return answer.json();
  }

  token(claims) {
    const part = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');
    const exp = Math.floor(Date.now() / 1000) + 600;
    const signed = `${part({alg: 'HS256', typ: 'JWT'})}.${part({exp, ...claims})}`;
    return `${signed}.${createHmac('sha256', this.secret).update(signed).digest('base64url')}`;
  }

  async stop() {
    this.process.stdin.end();
    const [code] = await this.ended;
    if (code !== 0) throw new Error(`the cluster ended with ${code}`);
  }
}

let rooms = 0;
export const room = () => `js-${++rooms}`;

// The first value that a check gives, or an error after PATIENCE_MS.
export async function until(check, what) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// The next event of an emitter as a promise, with a deadline.
export function next(emitter, event) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no '${event}' within ${PATIENCE_MS} ms`)), PATIENCE_MS);
    emitter.once(event, (value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
