// Chromium: the demo page, and the npm package's build for browsers.
import assert from 'node:assert/strict';
import {existsSync, mkdirSync} from 'node:fs';
import {createRequire} from 'node:module';
import {after, afterEach, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';

import {chromium} from 'playwright-core';

import {Cluster, room, until} from '../cluster.mjs';

const SHOTS = fileURLToPath(new URL('../../../build/results/', import.meta.url));
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const PROGRAM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
const SDK = createRequire(import.meta.url).resolve('centrifuge').replace(/build\/index\.\w+$/, 'dist/centrifuge.js');

let cluster, browser;
let contexts = [];

before(async () => {
  mkdirSync(SHOTS, {recursive: true});
  cluster = await Cluster.start({demo: true});
  browser = await chromium.launch({executablePath: PROGRAM, headless: true, args: FLAGS});
});
after(async () => {
  await browser.close();
  await cluster.stop();
});
afterEach(async () => {
  await Promise.all(contexts.map((context) => context.close()));
  contexts = [];
});

// A page of edge 1; what it complains of is collected, and it reaches nothing but the edges.
async function openPage(options = {}) {
  const context = await browser.newContext({viewport: {width: 1280, height: 800}, ...options});
  contexts.push(context);
  const page = await context.newPage();
  page.complaints = [];
  page.on('console', (message) => { if (message.type() === 'error') page.complaints.push(message.text()); });
  page.on('pageerror', (error) => page.complaints.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(cluster.edges[0].http)) page.complaints.push(`request to ${request.url()}`);
  });
  await page.goto(cluster.edges[0].http);
  return page;
}

async function openDemo(options) {
  const page = await openPage(options);
  await page.locator('.pane[data-state="connected"]').nth(1).waitFor();
  return page;
}

const pane = (page, n) => page.locator('.pane').nth(n);

async function say(page, n, text) {
  await pane(page, n).getByRole('textbox').fill(text);
  await pane(page, n).getByRole('button', {name: 'Send'}).click();
}

const texts = (page, n) => pane(page, n).locator('.message .text').allTextContents();

test('what is said in one pane appears in both, in one order', async () => {
  const page = await openDemo();
  const said = ['from the left', 'from the right', 'and <b>left</b> & again'];
  for (const [n, text] of said.entries()) {
    await say(page, n % 2, text);
    await until(async () => (await texts(page, 1)).includes(text), 'it arrives');
  }
  for (const n of [0, 1]) {
    await until(async () => (await texts(page, n)).length === said.length, 'all are there');
    assert.deepEqual(await texts(page, n), said);
  }
  assert.equal(await page.locator('#figure-order').textContent(), 'the same');
  assert.deepEqual(page.complaints, []);
});

test('each message has its position, the edge that it came from and its latency', async () => {
  const page = await openDemo();
  await say(page, 0, 'measure me');
  for (const n of [0, 1]) {
    const message = pane(page, n).locator('.message', {hasText: 'measure me'});
    await message.waitFor();
    assert.match(await message.locator('.offset').textContent(), /^#\d+$/);
    assert.ok(cluster.edges[0].ws.endsWith(await message.locator('.via').textContent()));
    assert.match(await message.locator('.latency').textContent(), /^\d+(\.\d)? ms$/);
  }
});

test('both panes tell who is here', async () => {
  const page = await openDemo();
  for (const n of [0, 1]) {
    await until(async () => (await pane(page, n).locator('.people li').count()) >= 2, 'both are present');
    assert.equal(await pane(page, n).locator('.people li.is-me').textContent(), 'you');
  }
});

test('a pane that is disconnected says so, and connects again when asked to', async () => {
  const page = await openDemo();
  const left = pane(page, 0);
  await left.getByRole('button', {name: 'Disconnect'}).click();
  await until(async () => (await left.getAttribute('data-state')) === 'closed', 'it is closed');
  assert.ok(await left.getByRole('textbox').isDisabled());
  await say(page, 1, 'while you were away');
  await left.getByRole('button', {name: 'Connect'}).click();
  await until(async () => (await left.getAttribute('data-state')) === 'connected', 'it is connected');
  await say(page, 0, 'back again');
  await until(async () => (await texts(page, 1)).includes('back again'), 'it arrives');
});

test('a pane connects again by itself when its edge dies and comes back', async () => {
  const page = await openDemo();
  await cluster.tell('kill edge-2');
  await until(async () => (await pane(page, 1).getAttribute('data-state')) !== 'connected', 'it is noticed');
  await cluster.tell('restart edge-2');
  await until(async () => (await pane(page, 1).getAttribute('data-state')) === 'connected', 'it is connected');
  await say(page, 0, 'welcome back');
  await until(async () => (await texts(page, 1)).includes('welcome back'), 'it arrives');
});

test('the page names every control and has one main heading', async () => {
  const page = await openDemo();
  assert.equal(await page.getByRole('heading', {level: 1}).count(), 1);
  assert.equal(await page.getByRole('log').count(), 2);
  for (const input of await page.getByRole('textbox').all()) {
    assert.match(await input.evaluate((element) => element.labels[0].textContent), /^Message through edge /);
  }
});

for (const [name, options] of Object.entries({
  light: {colorScheme: 'light'},
  dark: {colorScheme: 'dark'},
  narrow: {colorScheme: 'light', viewport: {width: 390, height: 844}},
})) {
  test(`the page fits its window: ${name}`, async () => {
    const page = await openDemo(options);
    await say(page, 0, 'Good morning from the left.');
    await say(page, 1, 'And from the right: the same thread, another edge.');
    await until(async () => (await texts(page, 1)).length >= 2 && (await texts(page, 0)).length >= 2, 'both arrive');
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${overflow} pixels too wide`);
    await page.screenshot({path: `${SHOTS}demo-${name}.png`, fullPage: true, animations: 'disabled'});
    assert.deepEqual(page.complaints, []);
  });
}

test("the npm package's build for browsers works from a page of another edge", async () => {
  const page = await openPage({bypassCSP: true});
  await page.addScriptTag({path: SDK});
  const channel = room();
  const heard = await page.evaluate(async ([first, second, name]) => {
    const {Centrifuge} = globalThis;
    const listener = new Centrifuge(`${first}/connection/websocket`);
    const speaker = new Centrifuge(`${second}/connection/websocket`);
    const subscription = listener.newSubscription(name);
    const arrived = new Promise((resolve) => { subscription.on('publication', ({data}) => resolve(data)); });
    subscription.subscribe();
    listener.connect();
    speaker.connect();
    await Promise.all([subscription.ready(5000), speaker.ready(5000)]);
    await speaker.publish(name, {from: 'a browser', sign: '\u20ac'});
    return arrived;
  }, [cluster.edges[0].ws, cluster.edges[1].ws, channel]);
  assert.deepEqual(heard, {from: 'a browser', sign: '\u20ac'});
});

test('a raw WebSocket of the browser works, text and bytes', async () => {
  const page = await openPage();
  const heard = await page.evaluate(async ([address]) => {
    const socket = new WebSocket(address);
    socket.binaryType = 'arraybuffer';
    const got = [];
    await new Promise((resolve, reject) => {
      socket.onerror = reject;
      socket.onopen = () => { socket.send('text'); socket.send(new Uint8Array([0, 255])); };
      socket.onmessage = ({data}) => {
        got.push(typeof data === 'string' ? data : Array.from(new Uint8Array(data)));
        if (got.length === 2) resolve();
      };
    });
    return got;
  }, [`${cluster.edges[1].ws}/ws/${room()}`]);
  assert.deepEqual(heard, ['text', [0, 255]]);
});
