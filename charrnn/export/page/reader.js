"use strict";
/* A text as it is read: how much each symbol surprised, and what was known in front of every one of them. */

const EVERY = 32; // symbols between two states that are kept

/** Reads a list of symbols a little at a time, and again only from where the list has changed. */
class Reader {
  constructor(network) {
    this.network = network;
    this.start = network.step(0, network.initial); // <start>
    this.wanted = [];
    this.back(0);
  }

  /** Forget all but the first symbols; their number is a multiple of EVERY. */
  back(count) {
    this.ids = (this.ids ?? []).slice(0, count);
    this.nats = (this.nats ?? []).slice(0, count);
    this.kept = (this.kept ?? [this.start]).slice(0, count / EVERY + 1);
    this.now = this.kept[count / EVERY];
  }

  /** The symbols to be read from now on. */
  follow(ids) {
    let same = 0;
    while (same < this.ids.length && same < ids.length && this.ids[same] === ids[same]) same++;
    if (same < this.ids.length) this.back(same - (same % EVERY));
    this.wanted = ids;
  }

  get done() {
    return this.ids.length === this.wanted.length;
  }

  /** Read for so many milliseconds, or to the end. */
  work(milliseconds) {
    const end = performance.now() + milliseconds;
    while (!this.done) {
      this.read(this.wanted[this.ids.length]);
      if (performance.now() >= end) break;
    }
  }

  /** Read one symbol more; its surprise in nats. */
  read(id) {
    const nats = natsOf(this.now.scores, id);
    this.now = this.network.step(id, this.now.state);
    this.ids.push(id);
    this.nats.push(nats);
    if (this.ids.length % EVERY === 0) this.kept.push(this.now);
    return nats;
  }

  /** A symbol that the model has drawn: it is wanted, and read. */
  push(id) {
    this.wanted.push(id);
    return this.read(id);
  }

  /** What was known after the first symbols: scores and state. */
  after(count) {
    if (count === this.ids.length) return this.now;
    let known = this.kept[Math.floor(count / EVERY)];
    for (let i = count - (count % EVERY); i < count; i++) known = this.network.step(this.ids[i], known.state);
    return known;
  }
}

/* The next words: a beam of the likeliest beginnings, each followed to where a word ends. A word's probability is that
   of its letters and of any end after them. */

const BEAM = 6, LONGEST = 20, LEAD = 2;

/** Where the words have to come from: what is known there, and the beginning of a word that they must have. */
function wordStart(alphabet, pieces) {
  const last = pieces.at(-1);
  const prefix = alphabet.unit === "word" && last !== undefined && WORDLIKE.test(last.text) ? last.text : "";
  return { prefix, kept: prefix ? pieces.slice(0, -1) : pieces };
}

/** Looks for words step by step: each `next()` is one step of the network; its return value is the list. */
function* likelyWords(network, alphabet, known, prefix, count = 5) {
  const found = new Map(), whole = alphabet.unit === "word";
  const finish = (beam, log) => {
    const text = textOf(beam.ids, alphabet);
    if (!text.includes("\ufffd")) found.set(text, Math.max(found.get(text) ?? -Infinity, log));
  };
  const least = () => [...found.values()].sort((a, b) => b - a)[count - 1] ?? -Infinity;
  let beams = [{ ids: [], log: 0, known, begun: false }];
  for (let length = 0; beams.length && length < LONGEST; length++) {
    const next = [];
    for (const beam of beams) {
      const shares = nextShares(beam, alphabet, prefix);
      if (beam.begun) finish(beam, beam.log + Math.log(shares.reduce((sum, p, id) => sum + (alphabet.wordlike[id] ? 0 : p), 0)));
      for (const id of best(shares, BEAM)) {
        const wordlike = alphabet.wordlike[id], log = beam.log + Math.log(shares[id]);
        if (!wordlike && (beam.begun || beam.ids.length >= LEAD || prefix)) continue;
        const grown = { ids: [...beam.ids, id], log, begun: wordlike, from: beam };
        if (wordlike && whole) finish(grown, log);
        else if (log > -12) next.push(grown);
      }
    }
    beams = next.filter((beam) => beam.log > least()).sort((a, b) => b.log - a.log).slice(0, BEAM);
    for (const beam of beams) {
      beam.known = network.step(beam.ids.at(-1), beam.from.known.state);
      delete beam.from;
      yield;
    }
  }
  const ranked = [...found].sort((a, b) => b[1] - a[1]), seen = new Set();
  const fresh = ([text]) => !seen.has(text.trim()) && seen.add(text.trim()); // not once more after another space
  return ranked.filter(fresh).slice(0, count)
    .map(([text, log]) => ({ text: text.slice(prefix.length), probability: Math.exp(log) }));
}

/** The probabilities after a beam; of the first symbol only those that a prefix allows, which share what they have. */
function nextShares(beam, alphabet, prefix) {
  const shares = probabilities(beam.known.scores);
  if (!prefix || beam.ids.length) return shares;
  const allowed = shares.map((p, id) => (id && alphabet.wordlike[id] && alphabet.longer(id, prefix) ? p : 0));
  const sum = allowed.reduce((a, b) => a + b, 0);
  return sum ? allowed.map((p) => p / sum) : allowed;
}

/** The ids of the largest numbers, the largest first; zeros are left out, and so is `<start>`. */
function best(shares, count) {
  const found = [];
  for (let id = 1; id < shares.length; id++) {
    if (!shares[id] || (found.length === count && shares[id] <= shares[found[count - 1]])) continue;
    let place = found.length;
    while (place > 0 && shares[found[place - 1]] < shares[id]) place--;
    found.splice(place, 0, id);
    if (found.length > count) found.pop();
  }
  return found;
}
