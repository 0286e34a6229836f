// The demo page: for each edge one pane, and in it one client of that edge, all on the same channel. It
// speaks the JSON form of the Centrifuge client protocol, as much of it as it needs.

const CHANNEL = 'lobby';
const KEPT = 200;           // messages that a pane shows
const PRESENCE_MS = 2000;   // how often a pane asks who is there
const REPLY_MS = 5000;      // how long a command waits for its answer
const BACKOFF_MS = [500, 10000];

const now = () => performance.timeOrigin + performance.now();

// --- one client of one edge ---

class Client {
  constructor(url, events) {
    this.url = url;
    this.events = events; // state(name, detail), publication(pub)
    this.id = '';
    this.waiting = new Map(); // command id -> {resolve, reject, timer}
    this.attempt = 0;
    this.wanted = false;
  }

  open() {
    this.wanted = true;
    this.connect();
  }

  close() {
    this.wanted = false;
    clearTimeout(this.retry);
    if (this.socket) this.socket.close(1000, 'bye');
    else this.events.state('closed', 'disconnected');
  }

  connect() {
    this.events.state('connecting', this.attempt ? 'reconnecting' : 'connecting');
    this.lastId = 0;
    const socket = this.socket = new WebSocket(this.url);
    socket.onopen = () => this.greet();
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = (event) => this.closed(event);
  }

  async greet() {
    const subscribe = {subscribe: {channel: CHANNEL}};
    try {
      const [welcome] = await Promise.all([this.command({connect: {name: 'demo'}}), this.command(subscribe)]);
      this.id = welcome.connect.client;
      this.attempt = 0;
      this.events.state('connected', 'connected');
    } catch (error) {
      this.events.state('connecting', error.message);
      if (this.socket) this.socket.close(1000, 'gave up');
    }
  }

  // Sends one command; its reply, or an Error with the server's words.
  command(body) {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.settle(id, {error: {message: 'no answer'}}), REPLY_MS);
      this.waiting.set(id, {resolve, reject, timer});
      this.send({id, ...body});
    });
  }

  send(object) {
    if (this.socket && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(object));
  }

  settle(id, reply) {
    const entry = this.waiting.get(id);
    if (!entry) return;
    this.waiting.delete(id);
    clearTimeout(entry.timer);
    if (reply.error) entry.reject(new Error(reply.error.message));
    else entry.resolve(reply);
  }

  // A frame is one or more JSON objects, a line each. An empty one is a ping, and is answered in kind.
  receive(frame) {
    for (const line of frame.split('\n')) {
      if (!line) continue;
      const reply = JSON.parse(line);
      if (reply.id) this.settle(reply.id, reply);
      else if (reply.push) this.push(reply.push);
      else this.send({});
    }
  }

  push(push) {
    if (push.pub) this.events.publication(push.pub);
    if (push.unsubscribe && push.unsubscribe.code >= 2500) this.resubscribe();
  }

  async resubscribe() {
    this.events.state('connecting', 'catching up');
    try {
      await this.command({subscribe: {channel: CHANNEL}});
      this.events.state('connected', 'connected');
    } catch {
      if (this.socket) this.socket.close(1000, 'gave up');
    }
  }

  closed(event) {
    this.socket = null;
    for (const id of [...this.waiting.keys()]) this.settle(id, {error: {message: 'connection lost'}});
    const final = (event.code >= 3500 && event.code < 4000) || (event.code >= 4500 && event.code < 5000);
    if (!this.wanted || final) {
      this.events.state('closed', final ? event.reason : 'disconnected');
      this.wanted = false;
      return;
    }
    const [least, most] = BACKOFF_MS;
    const delay = Math.min(most, least + Math.random() * least * 2 ** Math.min(this.attempt++, 10));
    this.events.state('connecting', `reconnecting in ${Math.max(1, Math.round(delay / 1000))} s`);
    this.retry = setTimeout(() => this.connect(), delay);
  }
}

// --- names for clients that have none: two words out of a client's id, the same in every pane ---

const DYES = ['amber', 'ashen', 'azure', 'birch', 'bronze', 'cedar', 'chalk', 'cobalt', 'copper', 'coral', 'dusky',
  'ebony', 'fallow', 'fern', 'flax', 'ginger', 'hazel', 'indigo', 'ivory', 'jade', 'linen', 'madder', 'moss',
  'ochre', 'olive', 'pearl', 'russet', 'saffron', 'sage', 'sienna', 'umber', 'woad'];
const BIRDS = ['avocet', 'bittern', 'bunting', 'crane', 'curlew', 'dipper', 'dove', 'dunlin', 'egret', 'finch',
  'grebe', 'heron', 'hoopoe', 'jay', 'kestrel', 'kite', 'lark', 'linnet', 'martin', 'merlin', 'oriole', 'osprey',
  'owl', 'petrel', 'pipit', 'plover', 'robin', 'swift', 'tern', 'thrush', 'wagtail', 'wren'];

function hashOf(text) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  hash ^= hash >>> 15;
  return Math.imul(hash, 2246822519) >>> 0;
}

function nameOf({client = '', user = ''} = {}) {
  if (user) return user;
  if (!client) return 'back end';
  const hash = hashOf(client);
  return `${DYES[hash & 31]} ${BIRDS[(hash >>> 5) & 31]}`;
}

function paintName(element, info, text = nameOf(info)) {
  element.textContent = text;
  element.style.setProperty('--hue', hashOf(text) % 360);
}

// --- one pane ---

const template = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);
const host = (url) => url.replace(/^\w+:\/\//, '');

function textOf(data) {
  if (data && typeof data === 'object' && typeof data.text === 'string') return data.text;
  return typeof data === 'string' ? data : JSON.stringify(data);
}

function formatMs(ms) {
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 10000 ? `${Math.round(ms)} ms` : '';
}

class Pane {
  constructor(edge, index, page) {
    this.edge = edge;
    this.index = index;
    this.page = page;
    this.offset = 0;     // of the last message; 0 = none yet
    this.offsets = [];   // of the messages shown
    this.root = template('pane');
    this.find = (selector) => this.root.querySelector(selector);
    this.root.dataset.edge = edge;
    this.find('h2').textContent = `edge ${host(edge)}`;
    const input = this.find('input');
    input.id = `say-${index}`;
    this.find('label').htmlFor = input.id;
    this.find('label').textContent = `Message through edge ${host(edge)}`;
    this.find('.messages').setAttribute('aria-label', `Messages on edge ${host(edge)}`);
    this.find('form').addEventListener('submit', (event) => this.say(event));
    this.find('.toggle').addEventListener('click', () => this.toggle());
    this.client = new Client(`${edge}/connection/websocket`, {
      state: (name, detail) => this.state(name, detail),
      publication: (pub) => this.publication(pub),
    });
    page.append(this.root);
    this.client.open();
    setInterval(() => this.lookAround(), PRESENCE_MS);
  }

  state(name, detail) {
    this.root.dataset.state = name;
    this.find('.state-text').textContent = detail;
    this.find('.toggle').textContent = this.client && this.client.wanted ? 'Disconnect' : 'Connect';
    const up = name === 'connected';
    this.find('input').disabled = this.find('form button').disabled = !up;
    if (!up) return;
    paintName(this.find('.who-am-i .name'), {client: this.client.id});
    this.lookAround();
  }

  toggle() {
    if (this.client.wanted) this.client.close();
    else this.client.open();
  }

  async say(event) {
    event.preventDefault();
    const input = this.find('input');
    const text = input.value.trim();
    if (!text) return;
    input.value = '';
    try {
      const data = {text, sent: now(), via: host(this.edge)};
      await this.client.command({publish: {channel: CHANNEL, data}});
    } catch (error) {
      this.note(`“${text}” was not sent: ${error.message}`);
    }
  }

  publication(pub) {
    const arrived = now();
    if (pub.offset && this.offset) {
      if (pub.offset <= this.offset) {
        this.offsets = [];
        this.note('the channel began anew');
      } else if (pub.offset > this.offset + 1) this.note(`${pub.offset - this.offset - 1} went by while away`);
    }
    if (pub.offset) this.offset = pub.offset;
    const data = pub.data;
    const latency = data && typeof data.sent === 'number' ? arrived - data.sent : NaN;
    const item = template('message');
    paintName(item.querySelector('.name'), pub.info || {});
    item.querySelector('.text').textContent = textOf(data);
    item.querySelector('.offset').textContent = pub.offset ? `#${pub.offset}` : '';
    item.querySelector('.latency').textContent = latency >= 0 ? formatMs(latency) : '';
    const via = item.querySelector('.via');
    if (data && typeof data.via === 'string') {
      via.textContent = data.via.slice(0, 60).replace(/^.*:(?=\d+$)/, ':');
      const pane = this.page.panes.findIndex((other) => host(other.edge) === data.via);
      if (pane >= 0) via.style.setProperty('--via', pane % 2 ? 'var(--madder)' : 'var(--indigo)');
    }
    if (pub.offset) item.dataset.offset = pub.offset;
    this.offsets.push(pub.offset);
    if (this.offsets.length > KEPT) this.offsets.shift();
    this.show(item);
    this.page.figures(latency);
  }

  note(text) {
    const item = document.createElement('li');
    item.className = 'note';
    item.textContent = text;
    this.show(item);
  }

  show(item) {
    const list = this.find('.messages');
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    item.classList.add('is-new');
    list.append(item);
    while (list.children.length > KEPT) list.firstElementChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  async lookAround() {
    if (document.hidden || this.root.dataset.state !== 'connected') return;
    try {
      const reply = await this.client.command({presence: {channel: CHANNEL}});
      this.people(Object.values(reply.presence.presence));
    } catch {
      // Not every channel tells who is there, and a lost connection shows elsewhere.
    }
  }

  people(clients) {
    const mine = (entry) => entry.client === this.client.id;
    clients.sort((a, b) => mine(b) - mine(a) || nameOf(a).localeCompare(nameOf(b)));
    const items = clients.slice(0, 12).map((entry) => {
      const item = document.createElement('li');
      item.className = mine(entry) ? 'name is-me' : 'name';
      paintName(item, entry, mine(entry) ? 'you' : nameOf(entry));
      if (mine(entry)) item.style.setProperty('--hue', hashOf(nameOf(entry)) % 360);
      return item;
    });
    if (clients.length > items.length) {
      const more = document.createElement('li');
      more.className = 'more';
      more.textContent = `and ${clients.length - items.length} more`;
      items.push(more);
    }
    this.find('.count').textContent = clients.length ? `· ${clients.length}` : '';
    this.find('.people').replaceChildren(...items);
  }
}

// --- the page ---

class Page {
  constructor(element) {
    this.element = element;
    this.panes = [];
    this.latencies = [];
    this.count = 0;
  }

  append(root) {
    this.element.append(root);
  }

  // Numbers over all panes; drawn once a frame, however many messages come.
  figures(latency) {
    this.count++;
    if (latency >= 0) this.latencies.push(latency);
    if (this.latencies.length > KEPT) this.latencies.shift();
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.draw();
    });
  }

  draw() {
    const sorted = this.latencies.slice().sort((a, b) => a - b);
    const set = (id, text) => { document.getElementById(id).textContent = text; };
    set('figure-messages', this.count.toLocaleString('en'));
    set('figure-median', sorted.length ? formatMs(sorted[sorted.length >> 1]) : '–');
    const same = this.sameOrder();
    const order = document.getElementById('figure-order');
    order.textContent = same ? 'the same' : 'differs';
    order.className = same ? 'is-good' : 'is-bad';
  }

  // Do all panes show the messages that they have in common in the same order?
  sameOrder() {
    const [first, ...rest] = this.panes.map((pane) => pane.offsets);
    return rest.every((offsets) => {
      const common = new Set(offsets);
      const mine = new Set(first);
      const a = first.filter((offset) => common.has(offset));
      const b = offsets.filter((offset) => mine.has(offset));
      return a.every((offset, i) => offset === b[i]);
    });
  }
}

async function start() {
  const element = document.getElementById('panes');
  const page = new Page(element);
  let edges;
  try {
    const response = await fetch('demo/edges.json');
    edges = (await response.json()).edges;
  } catch (error) {
    const notice = document.createElement('p');
    notice.className = 'notice';
    notice.textContent = `This edge does not answer: ${error.message}`;
    element.append(notice);
    return;
  } finally {
    element.removeAttribute('aria-busy');
  }
  document.getElementById('channel').textContent = CHANNEL;
  document.getElementById('raw-address').textContent = `${edges[0]}/ws/${CHANNEL}`;
  edges.forEach((edge, index) => page.panes.push(new Pane(edge, index, page)));
}

start();
