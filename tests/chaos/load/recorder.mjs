// Writes records as tests/chaos/records.py says, many thousands a second: lines are put together by hand from parts
// that need no escaping (names of ours, numbers) or are escaped once (epochs), and written in batches.
import {closeSync, openSync, writeSync} from 'node:fs';
import {performance} from 'node:perf_hooks';

const FORMAT = 1;
const BATCH_BYTES = 1 << 16;
const FLUSH_MS = 250;

// performance.now() counts by CLOCK_MONOTONIC, from another origin.
const ORIGIN_US = Number(process.hrtime.bigint() / 1000n) - performance.now() * 1000;
const now = () => Math.floor(ORIGIN_US + performance.now() * 1000);

export class Recorder {
  constructor(path, who) {
    this.file = openSync(path, 'ax');
    this.lines = 0;
    this.isClosed = false;
    this.pending = '';
    this.timer = setInterval(() => this.flush(), FLUSH_MS);
    this.add('begin', `${FORMAT},${JSON.stringify(who)}`);
  }

  // `fields`: JSON, joined by commas. What comes behind close() is passed over.
  add(kind, fields) {
    if (this.isClosed) return;
    this.pending += `["${kind}",${now()},${fields}]\n`;
    this.lines++;
    if (this.pending.length >= BATCH_BYTES) this.flush();
  }

  flush() {
    if (this.pending) writeSync(this.file, this.pending);
    this.pending = '';
  }

  close() {
    clearInterval(this.timer);
    this.add('end', this.lines);
    this.flush();
    this.isClosed = true;
    closeSync(this.file);
  }
}

const CRC_TABLE = Uint32Array.from({length: 256}, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

// CRC-32 of the text's bytes, which are ASCII.
export function hash(text) {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i++) crc = CRC_TABLE[(crc ^ text.charCodeAt(i)) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
