// Numbers of a recording by stretches of time: fetched when they are needed, the nearest kept, the next ones beforehand.

import { fetchPacked } from "./packed.js";

const KEPT = 24; // stretches of each kind: the oldest goes first

export class Chunks {
  // chunkS: how long a stretch is; arrived(): one is there; failed(error): one did not come.
  constructor(chunkS, arrived, failed) {
    Object.assign(this, { chunkS, arrived, failed, kinds: new Map() });
  }

  // The arrays of a kind ("gaze", "run0", ...) for the stretch of a moment; null until they have come.
  at(kind, timeS, away = 0) {
    const number = Math.floor(timeS / this.chunkS) + away;
    const chunk = this.#get(kind, number);
    if (away === 0 && timeS - number * this.chunkS > this.chunkS / 2) this.#get(kind, number + 1);
    return chunk;
  }

  // The measurements of a track around a moment, of three stretches as one; null until all have come.
  around(kind, timeS) {
    const number = Math.floor(timeS / this.chunkS), kept = this.#of(kind);
    if (kept.joined?.number === number) return kept.joined.track;
    const parts = [-1, 0, 1].map((away) => this.#get(kind, number + away));
    if (parts.some((part) => part === null)) return null;
    const track = {};
    for (const name of Object.keys(parts[1])) track[name] = joined(parts.map((part) => part[name]));
    kept.joined = { number, track };
    return track;
  }

  #of(kind) {
    if (!this.kinds.has(kind)) this.kinds.set(kind, { chunks: new Map(), joined: null });
    return this.kinds.get(kind);
  }

  #get(kind, number) {
    const { chunks } = this.#of(kind);
    if (chunks.has(number)) {
      const chunk = chunks.get(number);
      chunks.delete(number); // and in again, as the newest
      chunks.set(number, chunk);
      return chunk;
    }
    chunks.set(number, null);
    while (chunks.size > KEPT) chunks.delete(chunks.keys().next().value);
    fetchPacked(`/chunk/${kind}/${number}`).then(
      (arrays) => {
        chunks.set(number, arrays);
        this.arrived();
      },
      (error) => {
        chunks.delete(number);
        this.failed(error);
      },
    );
    return null;
  }
}

function joined(parts) {
  const whole = new parts[0].constructor(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
