"use strict";
/* What scripts may use of the page (docs/export.md). */

const charrnn = {
  about,
  /** What is known in front of a text: scores and state. */
  start: () => network.step(0, network.initial),
  /** Read a symbol: the scores of the next and the state after. */
  step: (id, state) => network.step(id, state),
  /** The ids of a text; what the model does not know is left out. */
  encode: (text) => alphabet.pieces(alphabet.formed(text)).flatMap((piece) => piece.ids),
  /** The ids of a text, the nats of each, and the units that the model does not know. */
  score(text) {
    const pieces = alphabet.pieces(alphabet.formed(text)), reader = new Reader(network);
    reader.follow(pieces.flatMap((piece) => piece.ids));
    reader.work(Infinity);
    return { ids: reader.ids, nats: reader.nats, unknown: pieces.filter((p) => !p.ids.length).map((p) => p.text) };
  },
  /** A text of so many symbols that goes on from `seed`, which is not part of it. */
  write({ seed = "", count = 200, temperature = about.temperature, random = Math.random } = {}) {
    let known = charrnn.encode(seed).reduce((before, id) => network.step(id, before.state), charrnn.start());
    const ids = [];
    while (ids.length < count) {
      ids.push(drawn(known.scores, temperature, random()));
      known = network.step(ids.at(-1), known.state);
    }
    return textOf(ids, alphabet);
  },
  /** The likeliest ends of the word that `text` breaks off in, or next words, with their probabilities. */
  words(text, count = 5) {
    const { prefix, kept } = wordStart(alphabet, alphabet.pieces(alphabet.formed(text)));
    const ids = kept.flatMap((piece) => piece.ids);
    const known = ids.reduce((before, id) => network.step(id, before.state), charrnn.start());
    const search = likelyWords(network, alphabet, known, prefix, count);
    for (;;) {
      const step = search.next();
      if (step.done) return step.value;
    }
  },
};
