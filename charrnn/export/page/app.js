"use strict";
/* The page: a text that is read as it changes, what may come next, and a model that writes. */

const SPEEDS = [5, 10, 20, 50, 100, 200, Infinity]; // symbols per second
const MOST = 10000; // symbols per second, at the highest speed
const LONGEST_TEXT = 20000; // symbols
const SLICE = 10; // milliseconds of reading or writing between two pictures
const CHUNK = 256; // pieces that are painted as one
const LEVELS = 7;
const BARS = 10;

const byId = (id) => document.getElementById(id);
addEventListener("error", (event) => {
  byId("wrong").textContent = `This page does not work here: ${event.message}`;
  byId("wrong").hidden = false;
});
const about = JSON.parse(byId("about").textContent);
const alphabet = new Alphabet(about.vocabulary, about.text);
const network = (() => {
  const whole = new Network(about, byId("weights").textContent);
  return about.window ? new WindowNetwork(whole, about.window) : whole;
})();

/** An element with a class and text; text is never taken for HTML. */
function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const percent = (share) => (share >= 0.0995 ? Math.round(share * 100) : (share * 100).toFixed(share >= 0.001 ? 1 : 2)) + " %";

/** What a text field makes of a text that follows `before`: all its newlines become line feeds. */
function inField(text, before) {
  const rest = before.endsWith("\r") && text.startsWith("\n") ? text.slice(1) : text;
  return rest.replace(/\r\n?/g, "\n");
}

class Page {
  constructor() {
    this.field = byId("text");
    this.paper = byId("paper");
    this.reader = new Reader(network);
    this.chunks = [];
    this.pieces = [];
    this.writing = null;
    this.opening = about.opening;
    this.listen();
    this.put(this.opening, this.opening.length);
    this.opening = this.field.value; // a field has newlines of its own
    this.told();
  }

  listen() {
    this.field.addEventListener("input", (event) => event.isComposing || this.changed());
    this.field.addEventListener("compositionend", () => this.changed());
    for (const name of ["keyup", "click", "select", "focus"]) this.field.addEventListener(name, () => this.moved());
    byId("write").addEventListener("click", () => this.toggle());
    byId("clear").addEventListener("click", () => {
      this.stop();
      this.put("", 0);
      this.field.focus();
    });
    for (const id of ["heat", "speed"]) byId(id).addEventListener("input", () => this.told());
    byId("colour").addEventListener("change", (event) => byId("main").classList.toggle("plain", !event.target.checked));
    addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.toggle();
      } else if (event.key === "Escape") this.stop();
    });
  }

  /** Put a text into the field, with the caret at a place. */
  put(text, caret) {
    this.field.value = text;
    this.field.setSelectionRange(caret, caret);
    this.changed();
  }

  /** The text in the field is another one. */
  changed() {
    if (this.writing) this.stop();
    const { value, selectionStart } = this.field, formed = alphabet.formed(value);
    if (formed !== value) {
      this.field.value = formed;
      const caret = alphabet.formed(value.slice(0, selectionStart)).length;
      this.field.setSelectionRange(caret, caret);
    }
    this.pieces = alphabet.pieces(this.field.value);
    this.reader.follow(this.pieces.flatMap((piece) => piece.ids).slice(0, LONGEST_TEXT));
    this.caret = null;
    this.wake();
  }

  /** The caret may be elsewhere. */
  moved() {
    if (!this.writing && this.field.selectionEnd !== this.caret) this.wake();
  }

  /** Go on with the next picture; where none is drawn, as in a tab behind others, a little later all the same. */
  wake() {
    if (this.pending) return;
    const frame = requestAnimationFrame(() => this.frame());
    const timer = setTimeout(() => this.frame(), 100);
    this.pending = () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    };
  }

  frame() {
    this.pending();
    this.pending = null;
    const time = performance.now();
    if (this.writing) this.write(time);
    else if (!this.reader.done) this.reader.work(SLICE);
    this.paint();
    this.told();
    if (this.writing || !this.reader.done) this.wake();
    if (this.reader.done && !this.writing) this.suggest();
    else if (this.writing) this.bars(this.reader.now, -1, "at the end of the text");
  }

  /* Writing. */

  toggle() {
    if (this.writing) this.stop();
    else {
      this.writing = { owed: 0, before: null, decoder: new Decoder(alphabet), ids: [], decoded: "", text: this.field.value };
      byId("write").textContent = "Stop";
      byId("write").setAttribute("aria-pressed", "true");
      byId("words").replaceChildren();
      this.search = null;
      this.paper.scrollTop = this.paper.scrollHeight;
      this.wake();
    }
  }

  stop() {
    if (!this.writing) return;
    this.writing = null;
    byId("write").textContent = "Write";
    byId("write").setAttribute("aria-pressed", "false");
    this.reader.follow(this.pieces.flatMap((piece) => piece.ids)); // without the bytes of half a character
    this.caret = null;
    this.wake();
  }

  /** As many symbols as are due by now. */
  write(time) {
    const { writing, reader } = this, began = performance.now();
    if (!reader.done) {
      reader.work(SLICE); // what is there has to be read first
      return;
    }
    const speed = SPEEDS[byId("speed").value], heat = Number(byId("heat").value);
    writing.owed += writing.before === null ? 1 : (Math.min(speed, MOST) * Math.min(time - writing.before, 250)) / 1000;
    writing.before = time;
    while (writing.owed >= 1 && reader.ids.length < LONGEST_TEXT && performance.now() < began + SLICE) {
      const id = drawn(reader.now.scores, heat, Math.random());
      reader.push(id);
      writing.owed--;
      writing.ids.push(id);
      const decoded = writing.decoder.feed(id);
      if (decoded) {
        const text = inField(decoded, writing.decoded);
        this.pieces.push({ text, ids: writing.ids });
        writing.ids = [];
        writing.text += text;
        writing.decoded = decoded;
      }
    }
    writing.owed = Math.min(writing.owed, 1); // what was too much for this machine is not caught up with
    this.field.value = writing.text;
    if (reader.ids.length >= LONGEST_TEXT) this.stop();
  }

  /* What is seen. */

  /** Colour the pieces by how much they surprised. */
  paint() {
    const low = this.paper.scrollHeight - this.paper.scrollTop - this.paper.clientHeight < 40;
    const { nats } = this.reader, guess = Math.log(alphabet.size - 1 || 1);
    let read = 0;
    for (let at = 0, number = 0; at < this.pieces.length || number === 0; at += CHUNK, number++) {
      const runs = [];
      for (const { text, ids } of this.pieces.slice(at, at + CHUNK)) {
        let sum = 0;
        for (let i = read; i < read + ids.length; i++) sum += nats[i] ?? 0;
        read += ids.length;
        const level = Math.min(LEVELS, Math.floor((LEVELS * sum) / guess));
        const look = ids.length ? (level > 0 ? "s" + level : "") : "unknown";
        if (runs.length && runs.at(-1)[0] === look) runs.at(-1)[1] += text;
        else runs.push([look, text]);
      }
      this.paintChunk(number, runs);
    }
    const count = Math.max(1, Math.ceil(this.pieces.length / CHUNK));
    for (const { span } of this.chunks.splice(count)) span.remove();
    if (this.writing && low) this.paper.scrollTop = this.paper.scrollHeight;
  }

  paintChunk(number, runs) {
    const key = JSON.stringify(runs), old = this.chunks[number];
    if (old?.key === key) return;
    const span = element("span");
    span.append(...runs.map(([look, text]) => (look ? element("span", look, text) : text)));
    if (old) old.span.replaceWith(span);
    else byId("shade").append(span);
    this.chunks[number] = { key, span };
    this.ending ??= element("span", "", "\u200b"); // so that an empty last line has a height
    byId("shade").append(this.ending);
  }

  /** The line of figures, and what the sliders stand at. */
  told() {
    const { ids, nats, wanted } = this.reader, speed = SPEEDS[byId("speed").value];
    byId("heat-told").textContent = Number(byId("heat").value).toFixed(2);
    byId("speed-told").textContent = speed === Infinity ? "as fast as it can" : `${speed} a second`;
    let sum = 0;
    for (const value of nats) sum += value;
    const unknown = this.pieces.filter((piece) => !piece.ids.length).length;
    const characters = this.pieces.reduce((count, { text, ids: own }) => count + (own.length ? [...text].length : 0), 0);
    const parts = [];
    if (ids.length < wanted.length) parts.push(`reading … ${Math.floor((100 * ids.length) / wanted.length)} %`);
    else if (characters) parts.push(`${characters.toLocaleString("en")} characters, ${(sum / Math.LN2 / characters).toFixed(2)} bits each`);
    if (unknown) parts.push(`${unknown} that the model does not know (underlined, left out)`);
    if (ids.length >= LONGEST_TEXT) parts.push(`only the first ${LONGEST_TEXT.toLocaleString("en")} symbols are read`);
    if (this.field.value === this.opening && this.opening && !this.writing) parts.push("the model wrote this; change it, go on, or clear it");
    byId("told").textContent = parts.join(" · ");
  }

  /** What may come where the caret is. */
  suggest() {
    const caret = this.field.selectionEnd;
    if (caret === this.caret) return;
    this.caret = caret;
    const before = alphabet.pieces(this.field.value.slice(0, caret)), rest = this.pieces.slice(before.length);
    const count = Math.min(this.count(before), this.reader.ids.length), known = this.reader.after(count);
    const next = rest.length && rest[0].ids.length ? rest[0].ids[0] : -1;
    this.bars(known, next, this.where(known, next, before.length === 0));
    const { prefix, kept } = wordStart(alphabet, before);
    const from = prefix ? this.reader.after(Math.min(this.count(kept), this.reader.ids.length)) : known;
    this.lookForWords(likelyWords(network, alphabet, from, prefix), this.field.value.slice(0, caret));
  }

  count(pieces) {
    return pieces.reduce((sum, piece) => sum + piece.ids.length, 0);
  }

  where(known, next, first) {
    if (next < 0) return first ? "at the beginning, after nothing" : "at the end of the text";
    const shares = probabilities(known.scores), rank = shares.filter((share) => share > shares[next]).length + 1;
    return `at the caret; the text goes on with ${alphabet.label(next)}: ${percent(shares[next])}, number ${rank}`;
  }

  bars(known, next, where) {
    const shares = probabilities(known.scores, 1, true), list = best(shares, BARS);
    byId("place").textContent = where;
    byId("bars").replaceChildren(...list.map((id) => {
      const item = element("li", id === next ? "here" : ""), button = element("button"), bar = element("span", "bar");
      button.type = "button";
      bar.style.width = `${100 * shares[id]}%`;
      const track = element("span");
      track.append(bar);
      button.append(element("b", alphabet.named(id) ? "name" : "", alphabet.label(id)), track, element("span", "share", percent(shares[id])));
      button.setAttribute("aria-label", `${alphabet.label(id)}, ${percent(shares[id])}`);
      const text = textOf([id], alphabet);
      button.disabled = text.includes("\ufffd");
      button.addEventListener("click", () => this.insert(text));
      item.append(button);
      return item;
    }));
  }

  /** Look for words between the pictures, until something else is asked for. */
  lookForWords(search, before) {
    this.search = search;
    const go = () => {
      const end = performance.now() + SLICE;
      while (this.search === search) {
        const step = search.next();
        if (step.done) return this.words(step.value, before);
        if (performance.now() >= end) return void setTimeout(go);
      }
    };
    setTimeout(go);
  }

  words(found, before) {
    const stem = before.match(/[\p{L}\p{N}_]*$/u)[0];
    byId("words").replaceChildren(...found.map(({ text, probability }) => {
      const button = element("button");
      button.type = "button";
      if (WORDLIKE.test(text)) button.append(element("span", "stem", stem));
      button.append(visibleText(text).replace(/^ /, "␣"), element("small", "", percent(probability)));
      button.addEventListener("click", () => this.insert(text + this.space()));
      return button;
    }));
  }

  /** A space, unless one follows or the model knows none. */
  space() {
    const follows = this.field.value.slice(this.field.selectionEnd, this.field.selectionEnd + 1);
    return /\s/.test(follows) || !alphabet.idsOf(" ").length ? "" : " ";
  }

  insert(text) {
    this.stop();
    const { value, selectionEnd: at } = this.field;
    this.put(value.slice(0, at) + text + value.slice(at), at + text.length);
    this.paper.scrollTop = at + text.length >= this.field.value.length ? this.paper.scrollHeight : this.paper.scrollTop;
  }
}

new Page();
